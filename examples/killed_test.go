package examples_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

// TestKilledHostLeavesNoVLLM kills serve with -9 while vLLM imports, loads, compiles and
// serves, and holds the promise: 2 s later no process of it lives. SPINUP_SOAK is the number
// of kills at each of these moments, 1 by default; without it other tests keep the machine
// busy meanwhile, and it may take a minute.
func TestKilledHostLeavesNoVLLM(t *testing.T) {
	t.Parallel()
	vllm := testenv.VLLM(t)
	rounds, err := strconv.Atoi(os.Getenv("SPINUP_SOAK"))
	if err != nil {
		rounds = 1
	}
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	for _, stage := range []string{"preload", "load_weights", "compile", "ready"} {
		for range rounds {
			killAt(t, stage, vllm, model)
		}
	}
}

func killAt(t *testing.T, stage, vllm, model string) {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte("model_loading_config: {model_id: m, model_source: "+model+"}\n"+
		"engine_kwargs: {max_model_len: 512}\nruntime_env: {env_vars: {VLLM_CPU_KVCACHE_SPACE: '1'}}\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "serve"), config, "-accelerator", "none", "-addr", "127.0.0.1:0")
	cmd.Env = append(os.Environ(), "SPINUP_VLLM="+vllm, "VLLM_CACHE_ROOT="+dir)
	var log bytes.Buffer
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stderr = writer
	require.NoError(t, cmd.Start())
	require.NoError(t, writer.Close())
	begun := []byte("spinup.stage=" + stage + " phase=begin")
	for chunk := make([]byte, 64<<10); !bytes.Contains(log.Bytes(), begun); {
		n, err := reader.Read(chunk)
		log.Write(chunk[:n])
		require.NoError(t, err, "%s", log.Bytes())
	}
	var tree []int // the guardian and what it has started
	require.Eventually(t, func() bool {
		tree = descendants(cmd.Process.Pid)
		return len(tree) > 1
	}, time.Minute, time.Millisecond)
	if stage == "preload" || stage == "compile" { // those are long: somewhere in them
		<-time.After(rand.N(3 * time.Second))
		tree = descendants(cmd.Process.Pid)
	}
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	killed := time.Now()
	require.Eventually(t, func() bool { return !slices.ContainsFunc(tree, living) }, testenv.Within(2*time.Second), 10*time.Millisecond, "killed in %s", stage)
	t.Logf("killed in %s: gone after %v", stage, time.Since(killed).Round(time.Millisecond))
	require.NoError(t, reader.Close())
}

// living reports whether a process can still do something: a zombie, which waits for its
// parent to look at it, has no command line.
func living(pid int) bool {
	command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(command) > 0
}

// descendants lists all that descends from pid.
func descendants(pid int) []int {
	parents := parentsOf()
	var tree []int
	for child := range parents {
		for p := parents[child]; p > 1; p = parents[p] {
			if p == pid {
				tree = append(tree, child)
				break
			}
		}
	}
	return tree
}
