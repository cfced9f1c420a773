package driver_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	type word string
	type flag bool
	on := flag(true)
	for _, c := range []struct{ in, want any }{
		{nil, nil},
		{(*int)(nil), nil},
		{&on, true},
		{word("x"), "x"},
		{3, 3},
		{[]word{"a", "b"}, []any{word("a"), word("b")}},
		{map[string]any{"a": 1}, map[string]any{"a": 1}},
	} {
		require.Equal(t, c.want, driver.Plain(c.in))
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	type count uint8
	four := 4
	for _, v := range []any{4, &four, int64(4), count(4), float32(4), 4.0, "4", "4e0", json.Number("4")} {
		n, ok := driver.Number(v)
		require.True(t, ok, "%T", v)
		require.InDelta(t, 4, n, 0, "%T", v)
	}
	for _, v := range []any{nil, true, (*int)(nil), "four", []int{4}, map[string]any{}} {
		_, ok := driver.Number(v)
		require.False(t, ok, "%T", v)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	chosen, named := filepath.Join(dir, "chosen"), filepath.Join(dir, "named")
	for _, file := range []string{chosen, named, filepath.Join(dir, "tool")} {
		require.NoError(t, os.WriteFile(file, nil, 0o700))
	}
	t.Setenv("PATH", dir)
	t.Setenv("THE_TOOL", "")
	p := driver.Program{Op: "tool.Command", Field: "tool.Engine.Path", Variable: "THE_TOOL", Name: "tool", Hint: "install it"}
	find := func(path string) string {
		p.Path = path
		found, err := p.Find()
		require.NoError(t, err)
		return found
	}
	require.Equal(t, filepath.Join(dir, "tool"), find(""))
	t.Setenv("THE_TOOL", named)
	require.Equal(t, named, find(""))
	require.Equal(t, chosen, find(chosen))
	require.Equal(t, "tool-of-a-pod", find("tool-of-a-pod"))

	t.Setenv("THE_TOOL", filepath.Join(dir, "gone"))
	p.Path = ""
	_, err := p.Find()
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "gone (from THE_TOOL)")
	require.ErrorContains(t, err, "install it")
}

func TestSamples(t *testing.T) {
	t.Parallel()
	got := maps.Collect(driver.Samples([]byte("# TYPE a gauge\na{model=\"x {y} 7\"} 3\r\nb 0.5\n\nc NaN\nd -1\ne\n{} 1\nf 1e10\ng 2 ")))
	require.Equal(t, map[string]float64{"a": 3, "b": 0.5, "g": 2}, got)
}
