package reference_test

import (
	"net/url"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
	"github.com/spinup-llm/spinup/engine/reference"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	spec := func(change func(*engine.Spec)) engine.Spec {
		s := engine.Spec{ModelID: "tiny", Dir: "testdata/qwen3"}
		change(&s)
		return s
	}
	kwargs := func(name string, v any) engine.Spec {
		return spec(func(s *engine.Spec) { s.Kwargs = map[string]any{name: v} })
	}
	enginetest.Run(t, enginetest.Config{
		Engine: reference.Engine{}, Spec: spec(func(*engine.Spec) {}),
		Bad: map[string]engine.Spec{
			"a file":         spec(func(s *engine.Spec) { s.Dir = "conformance_test.go" }),
			"streaming":      spec(func(s *engine.Spec) { s.Weights = &url.URL{Scheme: "s3", Host: "bucket"} }),
			"load format":    kwargs("load_format", "runai_streamer"),
			"two GPUs":       kwargs("tensor_parallel_size", 2),
			"unknown option": kwargs("max_model_length", 100),
			"too long":       kwargs("max_model_len", 1<<20),
		},
	})
}
