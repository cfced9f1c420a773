package llamacpp_test

import (
	"fmt"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/source"
)

// Of a repository with many quantisations one is fetched.
func ExampleEngine_ChooseFiles() {
	repository := &source.Manifest{Files: []source.File{
		{Path: "README.md"}, {Path: "m-Q4_K_M.gguf"}, {Path: "m-Q8_0.gguf"}, {Path: "mmproj-m-f16.gguf"},
	}}
	spec := engine.Spec{Kwargs: map[string]any{"model_file": "*Q4_K_M*"}}
	m, err := llamacpp.Engine{}.ChooseFiles(spec, repository)
	fmt.Println(m.Files[0].Path, len(m.Files), err)
	// Output: m-Q4_K_M.gguf 1 <nil>
}
