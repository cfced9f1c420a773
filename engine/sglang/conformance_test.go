package sglang_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/spinup-llm/spinup/internal/testenv"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	streaming := kwargs()
	streaming.Weights = &url.URL{Scheme: "s3", Host: "bucket"}
	file := kwargs()
	file.Dir = "conformance_test.go"
	enginetest.Run(t, enginetest.Config{
		Engine: installation(t), Spec: kwargs("context_length", 512),
		Bad: map[string]engine.Spec{
			"a misspelt option": kwargs("contxt_length", 512),
			"a file":            file,
			"streaming":         streaming,
		},
		Outputs:   os.DirFS("testdata"),
		CannotRun: "the installation is a sketch; TestConformanceOfRealSGLang runs",
	})
}

func TestConformanceOfRealSGLang(t *testing.T) {
	t.Parallel()
	spec := kwargs("max_total_tokens", 4096)
	spec.CPUs = []int{0}
	enginetest.Run(t, enginetest.Config{Engine: sglang.Engine{Path: testenv.SGLang(t)}, Spec: spec})
}
