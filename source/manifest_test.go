package source_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestManifest(t *testing.T) {
	t.Parallel()
	files := []source.File{{Path: "b", Size: 2}, {Path: "a/c", Size: 3, Version: "1"}, {Path: "ä", Size: 5}}
	m, err := source.NewManifest("s3://b/p", "", files)
	require.NoError(t, err)
	require.Equal(t, "b", files[0].Path, "the caller's slice is left alone")
	require.Equal(t, int64(10), m.Size())
	require.Equal(t, []string{"a/c", "b", "ä"}, paths(m))

	f, ok := m.File("a/c")
	require.True(t, ok)
	require.Equal(t, "1", f.Version)
	_, ok = m.File("a")
	require.False(t, ok)

	small := m.Filter(func(f source.File) bool { return f.Size < 5 })
	require.Equal(t, []string{"a/c", "b"}, paths(small))
	require.Equal(t, m.Revision, small.Revision)
	require.Len(t, m.Files, 3)
}

func paths(m *source.Manifest) (p []string) {
	for _, f := range m.Files {
		p = append(p, f.Path)
	}
	return p
}

// The revision of a listing follows each thing that tells files apart, and nothing else.
func TestManifestRevision(t *testing.T) {
	t.Parallel()
	rev := func(files ...source.File) string {
		m, err := source.NewManifest("mem://x", "", files)
		require.NoError(t, err)
		return m.Revision
	}
	a, b := source.File{Path: "a", Size: 1, Version: "v"}, source.File{Path: "b"}
	require.Equal(t, rev(a, b), rev(b, a))
	require.Len(t, rev(), 64)
	seen := map[string]bool{rev(a): true}
	for _, f := range []source.File{
		{Path: "a ", Size: 1, Version: "v"},
		{Path: "a", Size: 2, Version: "v"},
		{Path: "a", Size: 1, Version: "w"},
		{Path: "a", Size: 1, Version: "v", Digest: source.Digest{Algorithm: "md5", Hex: "00"}},
	} {
		require.False(t, seen[rev(f)], "%v", f)
		seen[rev(f)] = true
	}
	m, err := source.NewManifest("hf://a/b", "c0ffee", nil)
	require.NoError(t, err)
	require.Equal(t, "c0ffee", m.Revision)
}

func TestManifestRefuses(t *testing.T) {
	t.Parallel()
	for want, files := range map[string][]source.File{
		"listed twice":                 {{Path: "a"}, {Path: "a"}},
		"negative":                     {{Path: "a", Size: -1}},
		`folder "a" is a file as well`: {{Path: "a"}, {Path: "a-b"}, {Path: "a/b"}},
		`mem://x: "../x": invalid`:     {{Path: "../x"}},
	} {
		_, err := source.NewManifest("mem://x", "", files)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, want)
	}
	_, err := source.NewManifest("mem://x", "", []source.File{{Path: "../x"}, {Path: "/y"}})
	require.ErrorContains(t, err, "../x")
	require.ErrorContains(t, err, "/y", "all of them are told")
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "a/b.c", "..a", "a..", "...", "ünï/çødé", "a b", "%2e%2e", "ab:c", ".hidden"} {
		require.NoError(t, source.CheckPath(good), good)
	}
	for _, bad := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "./a", "a/.", "a/./b", "../a", "a/../../b", "a/../b",
		`a\b`, `..\a`, "C:", "c:/a", "a\x00b", "a\nb", "a\x7f", "\xff", "a/..",
	} {
		require.ErrorIs(t, source.CheckPath(bad), lifecycle.Invalid, "%q", bad)
	}
}

// What CheckPath accepts stays below the directory that it is joined to.
func FuzzCheckPath(f *testing.F) {
	for _, s := range []string{"a/b", "../x", "a/../../b", `..\x`, "C:x", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, p string) {
		if source.CheckPath(p) != nil {
			return
		}
		rel, err := filepath.Rel("/root", filepath.Join("/root", p))
		require.NoError(t, err)
		require.Equal(t, filepath.FromSlash(p), rel)
		require.False(t, strings.HasPrefix(rel, ".."+string(filepath.Separator)))
	})
}

// A clipped range lies within the file, and is as long as what was asked where that fits.
func TestClip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := source.File{Size: rapid.Int64Range(0, 100).Draw(t, "size")}
		off := rapid.Int64Range(-10, 120).Draw(t, "off")
		n := rapid.Int64Range(-3, 1<<62).Draw(t, "n")
		got, err := f.Clip(off, n)
		if off < 0 || off > f.Size {
			require.ErrorIs(t, err, lifecycle.Invalid)
			return
		}
		require.NoError(t, err)
		require.LessOrEqual(t, off+got, f.Size)
		if n >= 0 && off+min(n, 1000) <= f.Size {
			require.Equal(t, n, got)
		} else {
			require.Equal(t, f.Size-off, got)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("range 3: %w", source.WithRetryAfter(&lifecycle.Error{Kind: lifecycle.Throttled}, 3*time.Second))
	require.Equal(t, 3*time.Second, source.RetryAfter(err))
	require.ErrorIs(t, err, lifecycle.Throttled)
	require.Zero(t, source.RetryAfter(errors.New("x")))
	require.NoError(t, source.WithRetryAfter(nil, time.Second))
}
