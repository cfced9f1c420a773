package llamacpp_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/tinygguf"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	dir := model(t, nil)
	streaming := kwargs(dir)
	streaming.Weights = &url.URL{Scheme: "s3", Host: "bucket"}
	enginetest.Run(t, enginetest.Config{
		Engine: installation(t), Spec: kwargs(dir, "ctx_size", 512),
		Bad: map[string]engine.Spec{
			"a file":            kwargs("conformance_test.go"),
			"a misspelt option": kwargs(dir, "ctx_sise", 512),
			"no such model":     kwargs(dir, "model_file", "*Q4_K_M*"),
			"two models":        kwargs(folder(t, "a-Q4_0.gguf a-Q8_0.gguf")),
			"an empty file":     kwargs(folder(t, "a.gguf")),
			"safetensors":       kwargs("../../examples/quickstart/model"),
			"streaming":         streaming,
		},
		Outputs:   os.DirFS("testdata"),
		CannotRun: "the installation is a sketch; TestConformanceOfRealServer runs",
	})
}

func TestConformanceOfRealServer(t *testing.T) {
	t.Parallel()
	spec := kwargs(model(t, &tinygguf.Options{Shards: 2}), "parallel", 2)
	spec.CPUs = []int{0}
	enginetest.Run(t, enginetest.Config{Engine: llamacpp.Engine{Path: testenv.LlamaServer(t)}, Spec: spec})
}
