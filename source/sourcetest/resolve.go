package sourcetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func resolve(tb testing.TB, src source.Source) *source.Manifest {
	tb.Helper()
	m, err := src.Resolve(tb.Context())
	require.NoError(tb, err)
	return m
}

func pathsOf(m *source.Manifest) (paths []string) {
	for _, f := range m.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

func testList(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	for path, n := range map[string]int{"b": 2, "a/z.bin": 3, "a/b/c": 0, "a-1": 1, "Z": 5} {
		repo.Put(t, path, make([]byte, n))
	}
	m := resolve(t, repo.Source(t))
	require.Equal(t, []string{"Z", "a-1", "a/b/c", "a/z.bin", "b"}, pathsOf(m), "in the order of bytes")
	sizes := []int64{5, 1, 0, 3, 2}
	for i, f := range m.Files {
		require.Equal(t, sizes[i], f.Size, f.Path)
		require.NotEmpty(t, f.Version, f.Path)
	}
	require.NotEmpty(t, m.URI)
	require.Equal(t, source.Redact(m.URI), m.URI, "no secret stands in the URI")
}

func testNames(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	names := []string{"a b", "a+b", "a%2fb", "a%b", "a=b&c", "ünï/çødé ☃", "日本/語", "a#b", "a;b,c", "a'b\"c", "(a)[b]{c}~!$*@", "..a"}
	for _, name := range names {
		repo.Put(t, name, []byte(name))
	}
	src := repo.Source(t)
	m := resolve(t, src)
	slices.Sort(names)
	require.Equal(t, names, pathsOf(m))
	for _, f := range m.Files {
		require.Equal(t, f.Path, string(read(t, src, f, 0, -1)))
	}
}

func testPages(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	for i := range h.Many {
		repo.Put(t, fmt.Sprintf("f%05d", i), []byte{byte(i)})
	}
	m := resolve(t, repo.Source(t))
	require.Len(t, m.Files, h.Many)
	require.True(t, slices.IsSorted(pathsOf(m)))
	require.Len(t, slices.Compact(pathsOf(m)), h.Many, "none is listed twice")
}

func testHostile(t *testing.T, h Harness) {
	t.Helper()
	for _, name := range []string{"../evil", "a/../../evil", "/evil", "a//evil", `a\evil`, "C:evil", "a/./evil", "evil\n", "evil\x01", "a/.."} {
		repo := h.New(t)
		repo.Put(t, "good", nil)
		repo.Put(t, name, []byte("evil"))
		_, err := repo.Source(t).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Invalid, "%q", name)
		require.ErrorContains(t, err, fmt.Sprintf("%q", name))
		require.NotContains(t, err.Error(), `"good"`)
	}
}

func testFolder(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	repo.Put(t, "config.json", []byte("{}"))
	repo.PutBeside(t, "-13b", "other.json", []byte("{}"))
	require.Equal(t, []string{"config.json"}, pathsOf(resolve(t, repo.Source(t))))
}

func testNothing(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	_, err := repo.Source(t).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
	requireHint(t, err)

	repo.PutBeside(t, "-13b", "config.json", []byte("{}"))
	_, err = repo.Source(t).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "a name that only begins alike is another repository")
	require.ErrorContains(t, err, "-13b", "and is told as a near one")
}

// requireHint checks that an operator is told what to do.
func requireHint(tb testing.TB, err error) {
	tb.Helper()
	hints := 0
	for range lifecycle.Hints(err) {
		hints++
	}
	require.NotZero(tb, hints, "%v", err)
}

func testRevision(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	repo.Put(t, "a", []byte("one"))
	src := repo.Source(t)
	first := resolve(t, src)
	require.NotEmpty(t, first.Revision)
	require.Equal(t, first.Revision, resolve(t, repo.Source(t)).Revision, "nothing has changed")
	repo.Put(t, "a", []byte("two!"))
	second := resolve(t, src)
	require.NotEqual(t, first.Revision, second.Revision, "a file has changed")
	require.Equal(t, first.URI, second.URI)
	repo.Put(t, "b", nil)
	require.NotEqual(t, second.Revision, resolve(t, src).Revision, "a file is new")
	require.False(t, strings.ContainsAny(first.Revision, "/\\ "), "it can name a folder")
}
