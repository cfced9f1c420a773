//go:build unix

package fakeengine

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	engineArg  = "-fakeengine"
	childArg   = "-fakeengine-child"
	coreName   = "fake::core"
	workerName = "fake::worker"
)

// Main turns the test binary into the engine, or a descendant of one, when it was started
// as such, and returns otherwise. It tells its stages on stdout and then serves /health,
// /v1/completions, which says what model it was asked for, /sleep, /wake_up, /exit?code=N, /say?line=TEXT
// and /ail, after which it is not healthy.
// Misbehaviours:
//
//	crash     tells a cause and exits with 3 while it loads
//	exit0     exits with 0 at once
//	hang      never listens and says nothing
//	chatter   never listens and goes on to write lines that mean nothing
//	fatal     tells a fatal error and then hangs
//	stubborn  ignores SIGTERM
//	flood     writes 8 MB, one line without an end among it, before it listens
//	mute      closes stdout and stderr
//	leak      writes its environment
//	cold      refuses the first request with a message
//	brood     has descendants: a core with a worker, and what has left its session, its
//	          parent and its environment
func Main() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case engineArg:
		f := &fake{modes: strings.Split(os.Args[2], ","), addr: os.Args[3], dir: os.Args[4], cache: os.Args[5], model: os.Args[6]}
		f.adapters.most, _ = strconv.Atoi(os.Args[7])
		f.run()
	case earlyArg:
		early(strings.Split(os.Args[2], ","), os.Args[3])
	case childArg:
		child(os.Args[2], os.Args[3])
	default:
		return
	}
	os.Exit(0)
}

type fake struct {
	modes                   []string
	addr, dir, cache, model string
	adapters                loaded
}

func (f *fake) is(mode string) bool { return slices.Contains(f.modes, mode) }

func (f *fake) run() {
	record(f.dir, "engine")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go f.obey(stop)
	say("stage engine_config")
	if f.is("brood") {
		f.spawn("deserter", "deserter", true)
		f.spawn(coreName, "core", false)
	}
	f.load()
	f.serve()
}

func (f *fake) obey(stop <-chan os.Signal) {
	for sig := range stop {
		record(f.dir, "signal-"+strconv.Itoa(int(sig.(syscall.Signal))))
		if !f.is("stubborn") {
			os.Exit(0)
		}
	}
}

// load is everything before the engine listens.
func (f *fake) load() {
	switch {
	case f.is("exit0"):
		os.Exit(0)
	case f.is("leak"):
		say(strings.Join(os.Environ(), "\n"))
		say("stage leaking " + strings.Join(os.Environ(), " "))
		say("error: cannot use " + strings.Join(os.Environ(), " "))
	case f.is("flood"):
		line := strings.Repeat("x", 1<<20) + "\xff\xfe\x00"
		for range 8 {
			say(line + "\rnoise")
		}
	}
	if f.cache != "" {
		f.compile()
	}
	say("stage load_weights")
	for i := range 3 {
		say(fmt.Sprintf("\rprogress %d/3", i+1))
	}
	switch {
	case f.is("crash"):
		say("error: shard 2 is broken\nTraceback, of no interest")
		os.Exit(3)
	case f.is("fatal"):
		say("fatal: the core has gone")
		hang()
	case f.is("hang"):
		hang()
	case f.is("chatter"):
		for range time.Tick(20 * time.Millisecond) {
			say("still waiting for the core")
		}
	case f.is("mute"):
		_ = os.Stdout.Close()
		_ = os.Stderr.Close()
	}
}

func (f *fake) serve() {
	mux := http.NewServeMux()
	var ails atomic.Bool
	mux.HandleFunc("POST /ail", func(http.ResponseWriter, *http.Request) { ails.Store(true) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if ails.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /say", func(_ http.ResponseWriter, r *http.Request) { say(r.FormValue("line")) })
	mux.HandleFunc("POST /exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		os.Exit(code)
	})
	var asleep atomic.Bool
	mux.HandleFunc("POST /sleep", func(http.ResponseWriter, *http.Request) { asleep.Store(true) })
	mux.HandleFunc("POST /wake_up", func(http.ResponseWriter, *http.Request) { asleep.Store(false) })
	mux.HandleFunc("POST /load", func(w http.ResponseWriter, r *http.Request) {
		if asleep.Load() {
			http.Error(w, "there is no memory to load it to", http.StatusInternalServerError)
			return
		}
		f.adapters.load(w, r)
	})
	mux.HandleFunc("POST /unload", f.adapters.unload)
	mux.HandleFunc("POST /v1/completions", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if f.is("cold") || asleep.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error":{"message":"no kernel for this card"}}`)
			return
		}
		var request struct{ Model string }
		_ = json.NewDecoder(r.Body).Decode(&request)
		if !f.adapters.serves(request.Model, f.model) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":{"message":"no such model here"}}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"model": request.Model, "choices": []map[string]string{{"text": "hello"}}})
	})
	err := http.ListenAndServe(f.addr, mux) //nolint:gosec // a test's server
	say("error:", err)
	os.Exit(1)
}

func say(a ...any) { _, _ = fmt.Fprintln(os.Stdout, a...) }

// spawn starts a descendant with nothing of the environment.
func (f *fake) spawn(name, role string, session bool) { spawn(f.dir, name, role, session) }

func spawn(dir, name, role string, session bool) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := &exec.Cmd{
		Path: self, Args: []string{name, childArg, role, dir}, Env: []string{},
		Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: &syscall.SysProcAttr{Setsid: session},
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

// child is the main function of descendants. They live until they are killed.
func child(role, dir string) {
	record(dir, role)
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	switch role {
	case "deserter": // its child loses its parent
		spawn(dir, "orphan", "orphan", true)
		return
	case "core":
		spawn(dir, workerName, "worker", false)
	}
	hang()
}

// hang never returns. The signal is for the runtime, which without cgo would see a deadlock.
func hang() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	select {}
}

// record leaves a file ROLE.PID in dir, if there is one.
func record(dir, role string) {
	if dir == "" {
		return
	}
	err := os.WriteFile(filepath.Join(dir, role+"."+strconv.Itoa(os.Getpid())), nil, 0o600) //nolint:gosec // a folder of the test's
	if err != nil {
		panic(err)
	}
}

// PIDs returns the processes that a fake engine of the model folder dir has told of, by
// role: engine, core, worker, deserter, orphan. What left "signal-N" got a signal.
func PIDs(tb testing.TB, dir string) map[string]int {
	tb.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	pids := map[string]int{}
	for _, f := range files {
		role, text, _ := strings.Cut(f.Name(), ".")
		if pid, err := strconv.Atoi(text); err == nil {
			pids[role] = pid
		}
	}
	return pids
}
