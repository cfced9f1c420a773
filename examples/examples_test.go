// Package examples_test runs the example programs as a user does: built, from a shell, with
// files and signals. The stories are in testdata/*.txtar; those in testdata/all need more
// than Go and run with SPINUP_TEST=all.
package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var bin string // the built programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		panic(err)
	}
	bin = dir
	build := exec.CommandContext(context.Background(), "go", "build", "-o", dir, "./...")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

func TestStories(t *testing.T) {
	t.Parallel()
	testscript.Run(t, params(t, "testdata", nil))
}

// TestStoriesWithRealParts has a real S3 server, the official openai client and curl.
func TestStoriesWithRealParts(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	server := s3test.Start(t)
	model := filepath.Join(testenv.Root(t), "examples/quickstart/model")
	server.Upload(t, "public", "models/tiny", model)
	server.Public(t, "public")
	server.Upload(t, "private", "models/tiny", model)
	testscript.Run(t, params(t, "testdata/all", map[string]string{
		"PYTHON": python, "S3": server.Endpoint, "S3_KEY": server.AccessKey, "S3_SECRET": server.SecretKey,
		"CHAT": filepath.Join(testenv.Root(t), "examples/testdata/chat.py"),
	}))
}

// TestStoriesWithVLLM has real vLLM besides.
func TestStoriesWithVLLM(t *testing.T) {
	t.Parallel()
	vllm, python := testenv.VLLM(t), testenv.Python(t)
	server := s3test.Start(t)
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	const public = "air-example-data" // the guide's
	server.Upload(t, public, "rayllm-ossci/meta-Llama-3.2-1B-Instruct", model)
	server.Public(t, public)
	server.Upload(t, "private", "llama", model)
	testscript.Run(t, params(t, "testdata/vllm", map[string]string{
		"PYTHON": python, "S3": server.Endpoint, "S3_KEY": server.AccessKey, "S3_SECRET": server.SecretKey,
		"CHAT": filepath.Join(testenv.Root(t), "examples/testdata/chat.py"), "SPINUP_VLLM": vllm,
	}))
}

// TestStoriesWithLlamaServer has real llama-server besides, and a bucket with two quantisations.
func TestStoriesWithLlamaServer(t *testing.T) {
	t.Parallel()
	program, python := testenv.LlamaServer(t), testenv.Python(t)
	server := s3test.Start(t)
	model := t.TempDir()
	require.NoError(t, tinygguf.Write(filepath.Join(model, "tiny-BF16.gguf"), filepath.Join(testenv.Root(t), "examples/quickstart/model"), nil))
	require.NoError(t, os.WriteFile(filepath.Join(model, "tiny-Q4_K_M.gguf"), []byte("GGUF, as far as it came"), 0o600))
	server.Upload(t, "public", "tiny-GGUF", model)
	server.Public(t, "public")
	testscript.Run(t, params(t, "testdata/llamacpp", map[string]string{
		"PYTHON": python, "AWS_ENDPOINT_URL": server.Endpoint, "CHAT": filepath.Join(testenv.Root(t), "examples/testdata/chat.py"),
		"SPINUP_LLAMA_SERVER": program,
	}))
}

func params(t *testing.T, dir string, env map[string]string) testscript.Params {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal("the stories start their programs from sh, which is not on PATH")
	}
	root := testenv.Root(t)
	return testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("ROOT", root)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			for k, v := range env {
				e.Setenv(k, v)
			}
			return os.Symlink(filepath.Join(root, "examples"), filepath.Join(e.WorkDir, "examples"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"listening": listening, "answers": answers, "post": post, "lives": lives, "killengine": killEngine, "hasenv": hasEnv, "signal": signal,
		},
	}
}

// listening FILE waits until FILE tells the address and sets URL.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	address := regexp.MustCompile(`listening on (http://\S+)`)
	eventually(ts, "an address in "+args[0], func() bool {
		b, _ := os.ReadFile(ts.MkAbs(args[0]))
		if m := address.FindSubmatch(b); m != nil {
			ts.Setenv("URL", string(m[1]))
			return true
		}
		return false
	})
}

// answers PATH STATUS [REGEXP] waits until a GET of $URL/PATH has that status and body.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	var last string
	eventually(ts, strings.Join(args, " "), func() bool {
		code, body := request(ts, http.MethodGet, args[0], nil)
		last = fmt.Sprint(code, " ", body)
		return fmt.Sprint(code) == args[1] && (len(args) < 3 || regexp.MustCompile(args[2]).MatchString(body))
	})
	ts.Logf("%s", last)
}

// post PATH FILE STATUS REGEXP sends FILE to $URL/PATH once.
func post(ts *testscript.TestScript, _ bool, args []string) {
	code, body := request(ts, http.MethodPost, args[0], []byte(ts.ReadFile(args[1])))
	ts.Logf("%d %s", code, body)
	if fmt.Sprint(code) != args[2] || !regexp.MustCompile(args[3]).MatchString(body) {
		ts.Fatalf("want %s %s", args[2], args[3])
	}
}

func request(ts *testscript.TestScript, method, path string, body []byte) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, ts.Getenv("URL")+path, bytes.NewReader(body))
	ts.Check(err)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// lives succeeds when engines of this story run, and remembers them; "! lives" waits until
// those, and all others of this story, are gone.
func lives(ts *testscript.TestScript, neg bool, _ []string) {
	if neg {
		eventually(ts, "no engine lives", func() bool { return len(engines(ts, "")) == 0 && allGone(ts) })
		return
	}
	pids := engines(ts, "")
	if len(pids) == 0 {
		ts.Fatalf("no engine lives")
	}
	seen.Store(ts.Getenv("HOME"), pids)
}

var seen sync.Map // the engines' process numbers by the story's HOME

func allGone(ts *testscript.TestScript) bool {
	pids, _ := seen.LoadOrStore(ts.Getenv("HOME"), []int(nil))
	return !slices.ContainsFunc(pids.([]int), living)
}

// killengine [COMMAND] kills, with SIGKILL, the engines of this story whose command line
// has that in it.
func killEngine(ts *testscript.TestScript, _ bool, args []string) {
	word := strings.Join(args, " ")
	pids := engines(ts, word)
	if len(pids) == 0 {
		ts.Fatalf("no engine process has %q in its command line", word)
	}
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		ts.Check(err)
		ts.Check(p.Kill())
	}
}

// signal NAME PROGRAM sends a signal to this story's example program.
func signal(ts *testscript.TestScript, _ bool, args []string) {
	for pid := range parentsOf() {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		program, _, _ := bytes.Cut(command, []byte{0})
		if env := environment(pid); filepath.Base(string(program)) == args[1] && env["HOME="+ts.Getenv("HOME")] && env["ROOT="+ts.Getenv("ROOT")] {
			ts.Check(syscall.Kill(pid, unix.SignalNum("SIG"+args[0])))
			return
		}
	}
	ts.Fatalf("no %s runs", args[1])
}

// hasenv KEY=VALUE succeeds when an engine of this story was started with it.
func hasEnv(ts *testscript.TestScript, _ bool, args []string) {
	for _, pid := range engines(ts, "") {
		if environment(pid)[args[0]] {
			return
		}
	}
	ts.Fatalf("no engine has %s", args[0])
}

// engines lists the processes of this story's engines whose command line has word in it:
// those that run in its HOME and are no example program (which has the whole environment
// of the story), and what descends from them, as vLLM's overwrite their environment.
func engines(ts *testscript.TestScript, word string) []int {
	parents := parentsOf()
	var pids []int
	for pid := range parents {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if len(command) == 0 || !bytes.Contains(command, []byte(word)) { // a zombie has none
			continue
		}
		for p := pid; p > 1; p = parents[p] {
			if env := environment(p); env["HOME="+ts.Getenv("HOME")] && !env["ROOT="+ts.Getenv("ROOT")] {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// parentsOf maps every process to its parent.
func parentsOf() map[int]int {
	parents := map[int]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			parents[pid] = parentOf(pid)
		}
	}
	return parents
}

func parentOf(pid int) int {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	var state string
	var parent int
	if len(stat) == 0 {
		return 0 // it has ended meanwhile
	}
	_, _ = fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent)
	return parent
}

// environment is what the process was started with, as KEY=VALUE.
func environment(pid int) map[string]bool {
	vars := map[string]bool{}
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	for v := range bytes.SplitSeq(b, []byte{0}) {
		vars[string(v)] = true
	}
	return vars
}

func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.After(5 * time.Minute) // vLLM may share two cores with other tests
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if ok() {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("waited in vain for: %s", what)
		}
	}
}

func TestExamplesAreBuilt(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"quickstart", "serve", "download", "callback", "embed", "engine"} {
		require.FileExists(t, filepath.Join(bin, name))
	}
}
