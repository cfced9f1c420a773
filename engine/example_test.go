package engine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
)

func ExampleStart() {
	ctx := context.Background()
	dir, err := model()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	p, err := engine.Start(ctx, fakeengine.Engine{}, engine.Spec{ModelID: "m", Dir: dir}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err = p.Ready(ctx); err != nil {
		fmt.Println(err)
		return
	}
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, p.Endpoint().JoinPath("health").String(), http.NoBody)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println("asked:", resp.Status)
	fmt.Println("stopped:", p.Stop(ctx))
	for e := range p.Events(ctx) {
		if e.Phase == lifecycle.Begin {
			fmt.Println(e.Stage)
		}
	}
	// Output:
	// asked: 200 OK
	// stopped: <nil>
	// check
	// preload
	// engine_config
	// load_weights
	// warmup
	// ready
	// stopped
}

func ExampleProcess_Err() {
	ctx := context.Background()
	dir, err := model()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	spec := engine.Spec{ModelID: "m", Dir: dir, Kwargs: map[string]any{"modes": "crash"}}
	p, err := engine.Start(ctx, fakeengine.Engine{}, spec, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-p.Done()
	fmt.Println(p.Err())
	// Output: engine.Start m: engine failed: shard 2 is broken (do what the fake says)
}

func ExampleExec() {
	h, err := engine.Exec{}.Launch(context.Background(), engine.Command{
		Path: "/bin/sh", Args: []string{"-c", "echo hello; exit 3"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	output, _ := io.ReadAll(h.Output())
	exit, err := h.Wait()
	_, _ = h.Input().Close(), h.Output().Close()
	fmt.Printf("%s%d %v\n", output, exit, err)
	// Output:
	// hello
	// 3 <nil>
}

func ExampleBaseEnv() {
	env := engine.BaseEnv([]string{"PATH=/bin", "HTTPS_PROXY=http://proxy:3128", "AWS_SECRET_ACCESS_KEY=k", "PWD=/"})
	fmt.Println(env.Environ())
	// Output: [HTTPS_PROXY=http://proxy:3128 PATH=/bin]
}

// model makes a folder that the fake engine takes for a model.
func model() (string, error) {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600)
}

func ExamplePreload() {
	ctx := context.Background()
	early := engine.Preload(ctx, fakeengine.Early{}, engine.Spec{ModelID: "m"}, nil)
	defer func() { _ = early.Discard(ctx) }() // does nothing after Start

	dir, err := model() // arrives while the engine imports
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	p, err := early.Start(ctx, engine.Spec{ModelID: "m", Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ready:", p.Ready(ctx))
	fmt.Println("stopped:", p.Stop(ctx))
	for e := range p.Events(ctx) {
		if e.Phase == lifecycle.Begin {
			fmt.Println(e.Stage)
		}
	}
	// Output:
	// ready: <nil>
	// stopped: <nil>
	// preload
	// check
	// engine_config
	// load_weights
	// warmup
	// ready
	// stopped
}
