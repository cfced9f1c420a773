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
)

// Real skips t unless SPINUP_TEST=all; what names the part that the test needs.
func Real(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("SPINUP_TEST") != "all" {
		t.Skipf("needs %s: set SPINUP_TEST=all", what)
	}
}

// Root returns the top folder of the checkout.
func Root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("testenv: no caller")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// VLLM returns the path of the vllm program, from SPINUP_VLLM or installed by
// internal/setup/vllm.sh. It skips like Real.
func VLLM(t testing.TB) string {
	t.Helper()
	Real(t, "vLLM")
	if path := os.Getenv("SPINUP_VLLM"); path != "" {
		return path
	}
	return setup(t, "vllm.sh")
}

// Python returns a python3 with the packages that tests use (openai, PyYAML, huggingface_hub),
// installed by internal/setup/python.sh. It skips like Real.
func Python(t testing.TB) string {
	t.Helper()
	Real(t, "Python packages")
	return setup(t, "python.sh")
}

// Tool builds the tool of the nested module internal/tools/name and returns its path. It
// skips like Real.
func Tool(t testing.TB, name string) string {
	t.Helper()
	Real(t, name+" from internal/tools/"+name)
	return setup(t, "tool.sh", name)
}

func setup(t testing.TB, script string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(Root(t), "internal/setup", script), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}
