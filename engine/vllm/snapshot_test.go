package vllm_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// dumped is a folder that looks like a snapshot of "m".
func dumped(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "manifest.json", `{"model": "org/m", "served_model_name": "m"}`)
	return dir
}

// withTools puts programs of those names on PATH, which do nothing.
func withTools(t *testing.T, names ...string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755))
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("CRIU_CUDA_PLUGIN_DIR", dir)
}

func TestSnapshotIsRefused(t *testing.T) { //nolint:paralleltest // sets the environment
	gpu := []string{"0"}
	plain := installation(t)
	for why, c := range map[string]struct {
		dir  string
		spec engine.Spec
	}{
		"on one NVIDIA GPU":                {dumped(t), engine.Spec{}},
		"of an engine on one":              {dumped(t), engine.Spec{Devices: []string{"0", "1"}, Kwargs: map[string]any{"tensor_parallel_size": 2}}},
		"criu":                             {dumped(t), engine.Spec{Devices: gpu}},
		"CRIU_CUDA_PLUGIN_DIR":             {dumped(t), engine.Spec{Devices: gpu}},
		"Engine.SnapshotCommand":           {t.TempDir(), engine.Spec{Devices: gpu}},
		`it is of "m" (org/m), not of "o"`: {dumped(t), engine.Spec{Devices: gpu, ModelID: "o"}},
	} {
		e := plain
		e.Snapshot = c.dir
		require.ErrorContains(t, e.CheckKwargs(c.spec), why)
	}
	withTools(t, "criu", "cuda-checkpoint", "nvidia-smi")
	e := plain
	e.Snapshot = dumped(t)
	require.NoError(t, e.CheckKwargs(engine.Spec{ModelID: "m", Devices: gpu}))
	write(t, e.Snapshot, "manifest.json", "{")
	require.ErrorIs(t, e.CheckKwargs(engine.Spec{ModelID: "m", Devices: gpu}), lifecycle.Corrupt)
}

func TestSnapshotCommands(t *testing.T) {
	t.Parallel()
	e := installation(t)
	e.Snapshot = dumped(t)
	spec := engine.Spec{
		ModelID: "m", Dir: model(t, randmodel.Options{}), Addr: "127.0.0.1:8001", Devices: []string{"0"},
		Kwargs: map[string]any{"max_model_len": 512},
	}
	cmd, err := e.SnapshotCommand(spec, "org/m", commit)
	require.NoError(t, err)
	require.Equal(t, e.Path, cmd.Path)
	require.Equal(t, "snapshot create org/m --snapshot-dir "+e.Snapshot+" --served-model-name m --max-model-len 512 --revision "+commit,
		strings.Join(cmd.Args, " "))
	_, err = e.SnapshotCommand(spec, "org/m", "main")
	require.ErrorContains(t, err, "40 digits")

	cmd, err = e.Command(spec)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(filepath.Dir(e.Path), "python3"), cmd.Path)
	require.Equal(t, []string{e.Path, e.Snapshot, "127.0.0.1", "8001"}, cmd.Args[2:])
	require.Equal(t, "/health", cmd.ReadyPath)
	_, err = e.Preload(spec)
	require.ErrorContains(t, err, "snapshot")
	spec.Devices = nil
	_, err = e.SnapshotCommand(spec, "org/m", commit)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

// pretender is a vllm whose restore leaves a server behind that is nobody's child.
const pretender = `
import http.server, os, subprocess, sys, time
if sys.argv[1] == "serve-restored":
    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")
        do_GET = do_POST = answer
    http.server.HTTPServer((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
command, action, folder, _, host, _, port = sys.argv[1:]
assert (command, action) == ("snapshot", "restore")
log = open(os.path.join(folder, "child.log"), "w")
p = subprocess.Popen([sys.executable, __file__, "serve-restored", host, port], start_new_session=True, stdout=log, stderr=log)
open(os.path.join(folder, "restored.pid"), "w").write(str(p.pid))
`

// The restored server is supervised as one that was started: it ends with Stop, and its end
// is seen.
func TestRestoredEngineIsOurs(t *testing.T) { //nolint:paralleltest // sets the environment
	testenv.Real(t, "python3")
	python, err := exec.CommandContext(t.Context(), "python3", "-c", "import sys; print(sys.executable, end='')").Output()
	require.NoError(t, err)
	withTools(t, "criu", "cuda-checkpoint", "nvidia-smi")
	e := installation(t)
	require.NoError(t, os.WriteFile(e.Path, []byte("#!"+string(python)+"\n"+pretender), 0o755))
	e.Snapshot = dumped(t)
	spec := engine.Spec{ModelID: "m", Dir: model(t, randmodel.Options{}), Devices: []string{"0"}}
	p, err := engine.Start(t.Context(), e, spec, &engine.Options{ReadyWithin: time.Minute})
	require.NoError(t, err)
	require.NoError(t, p.Ready(t.Context()))
	addr := p.Endpoint().Host
	require.NoError(t, p.Stop(t.Context()))
	var stages []lifecycle.Stage
	for s := range lifecycle.TimelineOf(p.Events(t.Context())).All() {
		stages = append(stages, s.Stage)
	}
	require.Equal(t, []lifecycle.Stage{
		lifecycle.StageCheck, lifecycle.StagePreload, lifecycle.StageLoadWeights, lifecycle.StageWarmup, lifecycle.StageReady, lifecycle.StageStopped,
	}, stages)
	requireFree(t, nil, addr, nil)
}
