package llamacpp_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

const quantisations = "README.md config.json model.safetensors m-Q4_K_M.gguf m-Q8_0.gguf BF16/m-BF16-00001-of-00002.gguf BF16/m-BF16-00002-of-00002.gguf " +
	"mmproj-m.gguf draft/d.gguf chat.jinja"

func manifest(t *testing.T, names string) *source.Manifest {
	t.Helper()
	var files []source.File
	for name := range strings.FieldsSeq(names) {
		files = append(files, source.File{Path: name, Size: 1})
	}
	m, err := source.NewManifest("hf://org/m-GGUF", "1", files)
	require.NoError(t, err)
	return m
}

func names(m *source.Manifest) string {
	var names []string
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	return strings.Join(names, " ")
}

func TestChooseFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, has, want string
		kwargs          []any
	}{
		{name: "the only one", has: "README.md m.gguf mmproj-m.gguf", want: "m.gguf"},
		{name: "the only one, in parts", has: "m-00001-of-00002.gguf m-00002-of-00002.gguf", want: "m-00001-of-00002.gguf m-00002-of-00002.gguf"},
		{name: "a number that is none", has: "m-00001-of-00000.gguf", want: "m-00001-of-00000.gguf"},
		{name: "by name", has: quantisations, kwargs: []any{"model_file", "m-Q8_0.gguf"}, want: "m-Q8_0.gguf"},
		{name: "by pattern", has: quantisations, kwargs: []any{"model_file", "*Q4_K_M*"}, want: "m-Q4_K_M.gguf"},
		{
			name: "parts in a folder", has: quantisations, kwargs: []any{"model_file", "*BF16*"},
			want: "BF16/m-BF16-00001-of-00002.gguf BF16/m-BF16-00002-of-00002.gguf",
		},
		{
			name: "with others", has: quantisations, want: "chat.jinja draft/d.gguf m-Q8_0.gguf mmproj-m.gguf",
			kwargs: []any{"model_file", "m-Q8*", "mmproj", "mmproj-m.gguf", "model_draft", "draft/d.gguf", "chat_template_file", "./chat.jinja"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec := kwargs("", c.kwargs...)
			m, err := llamacpp.Engine{}.ChooseFiles(spec, manifest(t, c.has))
			require.NoError(t, err)
			require.Equal(t, c.want, names(m))
			again, err := llamacpp.Engine{}.ChooseFiles(spec, m)
			require.NoError(t, err)
			require.Equal(t, m, again)
		})
	}
}

func TestNoChoice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		has    string
		kwargs []any
		kind   lifecycle.Kind
		want   []string
	}{
		{has: "config.json model.safetensors", kind: lifecycle.MissingFile, want: []string{"hf://org/m-GGUF/*.gguf", "converted", "vLLM"}},
		{has: quantisations, kind: lifecycle.Invalid, want: []string{"engine_kwargs.model_file", "there are 4 models", "*Q4_K_M*", "m-Q8_0.gguf"}},
		{has: quantisations, kwargs: []any{"model_file", "m-Q4_K_S.gguf"}, kind: lifecycle.Invalid, want: []string{"did you mean", "m-Q4_K_M.gguf"}},
		{has: quantisations, kwargs: []any{"model_file", "m-*"}, kind: lifecycle.Invalid, want: []string{"3 models match"}},
		{has: "m-00001-of-00003.gguf m-00003-of-00003.gguf", kind: lifecycle.MissingFile, want: []string{"m-00002-of-00003.gguf", "one of 3 files"}},
		{has: "m.gguf", kwargs: []any{"mmproj", "mmproj.gguf"}, kind: lifecycle.MissingFile, want: []string{"mmproj.gguf", "engine_kwargs names it"}},
	} {
		_, err := llamacpp.Engine{}.ChooseFiles(kwargs("", c.kwargs...), manifest(t, c.has))
		require.ErrorIs(t, err, c.kind)
		for _, want := range c.want {
			require.ErrorContains(t, err, want)
		}
	}
}
