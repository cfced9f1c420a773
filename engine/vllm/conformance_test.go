package vllm_test

import (
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// onOneCore is for many engines at a time on a small machine.
func onOneCore(dir string) engine.Spec {
	return engine.Spec{
		ModelID: "tiny", Dir: dir, CPUs: []int{0},
		Kwargs: map[string]any{"max_model_len": 8192, "enforce_eager": true},
		Env:    lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	bad := onOneCore(model(t, randmodel.Options{}))
	bad.Kwargs = map[string]any{"max_modl_len": 1}
	enginetest.Run(t, enginetest.Config{
		Engine: installation(t), Spec: onOneCore(model(t, randmodel.Options{})),
		Bad:       map[string]engine.Spec{"a misspelt option": bad},
		Outputs:   os.DirFS("testdata"),
		CannotRun: "the installation is a sketch; TestConformanceOfRealVLLM runs", CannotPreload: "the installation has no version",
	})
}

func TestConformanceOfRealVLLM(t *testing.T) {
	t.Parallel()
	adapter := engine.Adapter{Name: "lora", Dir: t.TempDir()}
	require.NoError(t, randmodel.WriteAdapter(adapter.Dir, randmodel.AdapterOptions{Model: randmodel.Options{Layers: 1}}))
	enginetest.Run(t, enginetest.Config{
		Engine: vllm.Engine{Path: testenv.VLLM(t)}, Spec: onOneCore(model(t, randmodel.Options{})), Adapter: adapter,
	})
}
