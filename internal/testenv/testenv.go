// Package testenv finds or installs what a test needs beside Go. Tests that need more than
// Go run only with SPINUP_TEST=all; otherwise they are skipped with the reason. With it, a
// part that cannot be had fails the test: nothing passes silently.
package testenv

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Real skips tb unless SPINUP_TEST=all; what names the part that the test needs.
func Real(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("SPINUP_TEST") != "all" {
		tb.Skipf("needs %s: set SPINUP_TEST=all", what)
	}
}

// Root returns the top folder of the checkout.
func Root(tb testing.TB) string {
	tb.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		tb.Fatal("testenv: no caller")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// VLLM returns the path of the vllm program, from SPINUP_VLLM or installed by
// internal/setup/vllm.sh. It skips like Real.
func VLLM(tb testing.TB) string {
	tb.Helper()
	return engine(tb, "vLLM", "SPINUP_VLLM", "vllm.sh")
}

// LlamaServer returns the path of llama.cpp's llama-server, from SPINUP_LLAMA_SERVER or
// installed by internal/setup/llamacpp.sh. It skips like Real, and where the processor lacks what the
// installed build needs, which .ci/run says.
func LlamaServer(tb testing.TB) string {
	tb.Helper()
	path := engine(tb, "llama-server", "SPINUP_LLAMA_SERVER", "llamacpp.sh")
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if os.Getenv("SPINUP_LLAMA_SERVER") == "" && err == nil && !bytes.Contains(cpu, []byte(" avx512f")) {
		tb.Skip("llama-server's build needs AVX-512: name one of your own in SPINUP_LLAMA_SERVER")
	}
	return path
}

// SGLang returns the path of the sglang program, from SPINUP_SGLANG or installed by
// internal/setup/sglang.sh. It skips like Real.
func SGLang(tb testing.TB) string {
	tb.Helper()
	return engine(tb, "SGLang", "SPINUP_SGLANG", "sglang.sh")
}

// engine returns the program that variable names, else what script installs.
func engine(tb testing.TB, what, variable, script string) string {
	tb.Helper()
	Real(tb, what)
	if path := os.Getenv(variable); path != "" {
		return path
	}
	return setup(tb, script)
}

// Python returns a python3 with the packages that tests use (openai, PyYAML, huggingface_hub),
// installed by internal/setup/python.sh. It skips like Real.
func Python(tb testing.TB) string {
	tb.Helper()
	Real(tb, "Python packages")
	return setup(tb, "python.sh")
}

// Tool builds the tool of the nested module internal/tools/name and returns its path. It
// skips like Real.
func Tool(tb testing.TB, name string) string {
	tb.Helper()
	Real(tb, name+" from internal/tools/"+name)
	return setup(tb, "tool.sh", name)
}

// Azurite returns the path of Azurite's program for blobs, installed by
// internal/setup/azurite.sh. It skips like Real.
func Azurite(tb testing.TB) string {
	tb.Helper()
	Real(tb, "Azurite")
	return setup(tb, "azurite.sh")
}

// JavaScript returns the folder for NODE_PATH with the official client of the OpenAI API,
// installed by internal/setup/node.sh. It skips like Real.
func JavaScript(tb testing.TB) string {
	tb.Helper()
	Real(tb, "the JavaScript client")
	return setup(tb, "node.sh")
}

func setup(tb testing.TB, script string, args ...string) string {
	tb.Helper()
	cmd := exec.CommandContext( //nolint:gosec // a script of this checkout
		tb.Context(), filepath.Join(Root(tb), "internal/setup", script), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// Within is d, in which something is promised to happen, where SPINUP_SOAK says that the machine has nothing
// else to do, and otherwise enough for one that has: what breaks such a promise takes for ever.
func Within(d time.Duration) time.Duration {
	if os.Getenv("SPINUP_SOAK") != "" {
		return d
	}
	return 30 * time.Second
}
