//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/spinup-llm/spinup/internal/bench"
)

// A client is `vllm bench serve`.
type client struct {
	vllm string
	work string // for its results
	load load
}

// newClient finds vllm as our engine does: SPINUP_VLLM, then PATH. close it.
func newClient(l load) (*client, error) {
	path := os.Getenv("SPINUP_VLLM")
	if path == "" {
		var err error
		if path, err = exec.LookPath("vllm"); err != nil {
			return nil, fmt.Errorf("%w: export SPINUP_VLLM=$(internal/setup/vllm.sh)", err)
		}
	}
	work, err := os.MkdirTemp("", "spinup-bench-serve-")
	return &client{vllm: path, work: work, load: l}, err
}

func (c *client) close() { _ = os.RemoveAll(c.work) } // it was made here

// A result is what the client says of one turn.
type result struct {
	Completed  int     `json:"completed"`
	Failed     int     `json:"failed"`
	Requests   float64 `json:"request_throughput"` // per second
	Tokens     float64 `json:"output_throughput"`  // per second
	MedianTTFT float64 `json:"median_ttft_ms"`
	P99TTFT    float64 `json:"p99_ttft_ms"`
	MedianITL  float64 `json:"median_itl_ms"`
	P99ITL     float64 `json:"p99_itl_ms"`
}

// run sends one turn's load to url. Every request has to be answered.
func (c *client) run(ctx context.Context, url, tokenizer string) (r result, err error) {
	file := filepath.Join(c.work, "result.json")
	args := []string{
		c.vllm, "bench", "serve", "--backend", "openai-chat", "--base-url", url, "--endpoint", "/v1/chat/completions",
		"--model", modelID, "--tokenizer", tokenizer, "--dataset-name", "random", "--ignore-eos", "--disable-tqdm",
		"--random-input-len", strconv.Itoa(c.load.input), "--random-output-len", strconv.Itoa(c.load.output),
		"--num-prompts", strconv.Itoa(c.load.prompts), "--max-concurrency", strconv.Itoa(c.load.concurrency),
		"--num-warmups", strconv.Itoa(c.load.concurrency),
		"--save-result", "--result-dir", c.work, "--result-filename", filepath.Base(file),
	}
	env := append(os.Environ(), "HF_HUB_OFFLINE=1", "VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1")
	if _, err = bench.Run(ctx, args, env); err != nil {
		return r, err
	}
	data, err := os.ReadFile(file) //nolint:gosec // our own folder
	if err != nil {
		return r, err
	}
	if err = json.Unmarshal(data, &r); err != nil {
		return r, err
	}
	if r.Completed != c.load.prompts {
		return r, fmt.Errorf("%d of %d requests were answered", r.Completed, c.load.prompts)
	}
	return r, nil
}
