package download_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestNoSpaceBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	src := newMemory(nil, "")
	src.files = []source.File{{Path: "huge", Size: math.MaxInt64 / 2, Version: "1"}}
	_, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, lifecycle.NoSpace)
	require.ErrorContains(t, err, "4.6 EB needed")
	require.ErrorContains(t, err, "free in "+dir)
	require.Zero(t, src.opens())
	require.NoDirExists(t, dir)
}

func TestLinksAreNotFollowedOutside(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{"folder": "sub", "file": "sub/weights", "state": ".spinup"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outside, dir := t.TempDir(), t.TempDir()
			victim := filepath.Join(outside, "weights")
			require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o644))
			target := outside
			if name == "file" {
				target = victim
				require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
			}
			require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
			src := newMemory(map[string][]byte{"sub/weights": random(1, 3*mib)}, "")
			_, err := new(download.Manager).Fetch(t.Context(), src, dir)
			if name == "file" {
				require.NoError(t, err, "the link itself is replaced")
				requireFiles(t, dir, src.data)
			} else {
				require.ErrorIs(t, err, lifecycle.Invalid)
			}
			content, err := os.ReadFile(victim)
			require.NoError(t, err)
			require.Equal(t, "precious", string(content))
			require.Equal(t, []string{"weights"}, visible(t, outside))
			require.NoDirExists(t, filepath.Join(outside, ".spinup"))
		})
	}
}

func TestSomethingIsInTheWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "weights", "x"), 0o755))
	_, err := new(download.Manager).Fetch(t.Context(), weights("sha256"), dir)
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "weights")

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err = new(download.Manager).Fetch(t.Context(), weights("sha256"), file)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	dir, src := t.TempDir(), newMemory(model(), "sha256")
	man, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.NoError(t, download.Verify(t.Context(), man, dir))

	require.NoError(t, os.Remove(filepath.Join(dir, "empty")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o644))
	weights := filepath.Join(dir, "model-00001.safetensors")
	info, err := os.Stat(weights)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(weights, flipped(src.data["model-00001.safetensors"]), 0o644))
	require.NoError(t, os.Chtimes(weights, info.ModTime(), info.ModTime()))

	err = download.Verify(t.Context(), man, dir)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorIs(t, err, lifecycle.Corrupt)
	var bad []string
	for e := range lifecycle.Errors(err) {
		bad = append(bad, e.Target)
	}
	require.ElementsMatch(t, []string{"empty", "config.json", "model-00001.safetensors"}, bad)
}
