package spinup_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/stretchr/testify/require"
)

func TestEngineOptions(t *testing.T) {
	t.Parallel()
	o := spinup.EngineOptions{
		MaxModelLen: 4096, EnforceEager: new(false), GPUMemoryUtilization: new(0.5), LoadFormat: "auto",
		CompilationConfig: &spinup.CompilationConfig{CacheDir: "/c", Extra: map[string]any{"mode": 3}},
		Extra:             map[string]any{"dtype": "float16", "seed": nil, "load_format": "dummy"},
	}
	want := map[string]any{
		"max_model_len": 4096, "enforce_eager": false, "gpu_memory_utilization": .5, "load_format": "auto",
		"compilation_config": map[string]any{"cache_dir": "/c", "mode": 3}, "dtype": "float16", "seed": nil,
	}
	require.Equal(t, want, o.Kwargs())
	require.Equal(t, want, maps.Collect(o.All()))
	var names []string
	for name := range o.All() {
		names = append(names, name)
	}
	require.True(t, slices.IsSorted(names), names)

	o.Kwargs()["dtype"] = "changed"
	require.Equal(t, "float16", o.Extra["dtype"], "the map is a copy")
	require.NotNil(t, (&spinup.EngineOptions{}).Kwargs())
	for range o.All() {
		break // a consumer may stop early
	}
}

func TestRepo(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string][2]string{
		"org/name":            {"org/name", ""},
		"org/name@main":       {"org/name", "main"},
		"org/name@refs/pr/1":  {"org/name", "refs/pr/1"},
		"hf://org/na.me-1@v2": {"org/na.me-1", "v2"},
		"gpt2":                {"gpt2", ""},
		"s3://org/name":       {}, "/org/name": {}, "./name": {}, "a/b/c": {}, "": {}, "org/name@": {}, "org/na me": {},
	} {
		id, revision, ok := spinup.From(uri).Repo()
		require.Equal(t, want, [2]string{id, revision}, uri)
		require.Equal(t, want[0] != "", ok, uri)
	}
}
