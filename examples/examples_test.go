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
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
)

var bin string // the built programs

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "examples-")
	if err != nil {
		panic(err)
	}
	bin = dir
	build := exec.Command("go", "build", "-o", dir, "./...")
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

func params(t *testing.T, dir string, env map[string]string) testscript.Params {
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
			"listening": listening, "answers": answers, "post": post, "lives": lives, "killengine": killEngine,
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

// lives WORD succeeds when a process of this story is an engine; "! lives" waits until none is.
func lives(ts *testscript.TestScript, neg bool, _ []string) {
	if !neg {
		if len(engines(ts)) == 0 {
			ts.Fatalf("no engine lives")
		}
		return
	}
	eventually(ts, "no engine lives", func() bool { return len(engines(ts)) == 0 })
}

// killengine kills the engines of this story with SIGKILL.
func killEngine(ts *testscript.TestScript, _ bool, _ []string) {
	for _, pid := range engines(ts) {
		p, err := os.FindProcess(pid)
		ts.Check(err)
		ts.Check(p.Kill())
	}
}

// engines lists the processes that have this story's folder as HOME in their environment
// and are not the program itself: the guardian has no HOME.
func engines(ts *testscript.TestScript) []int {
	var pids []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if bytes.Contains(env, []byte("HOME="+ts.Getenv("HOME")+"\x00")) && bytes.Contains(env, []byte("SPINUP_REFERENCE")) {
			var pid int
			_, err := fmt.Sscan(filepath.Base(dir), &pid)
			ts.Check(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.After(2 * time.Minute)
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
	for _, name := range []string{"quickstart", "serve", "download", "callback", "embed"} {
		require.FileExists(t, filepath.Join(bin, name))
	}
}
