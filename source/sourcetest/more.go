package sourcetest

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// A digest is the file's own, whatever its size.
func testDigests(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	for path, n := range map[string]int{"empty": 0, "one": 1, "large": 1 << 20} {
		repo.Put(t, path, noise(n))
	}
	src := repo.Source(t)
	for _, f := range resolve(t, src).Files {
		if f.Digest == (source.Digest{}) {
			require.False(t, h.Digests, "%s has no digest", f.Path)
			continue
		}
		f.Digest = told(t, src, f)
		hash := f.Digest.NewHash(f.Size)
		require.NotNil(t, hash, "%s", f.Digest)
		_, err := hash.Write(read(t, src, f, 0, -1))
		require.NoError(t, err)
		require.True(t, f.Digest.Equal(hash.Sum(nil)), "%s is not the digest of %s", f.Digest, f.Path)
	}
}

// told asks for a digest that is told later, and holds the body that brings it to the same.
func told(t *testing.T, src source.Source, f source.File) source.Digest {
	t.Helper()
	if f.Digest.Known() {
		return f.Digest
	}
	late, ok := src.(source.Digester)
	require.True(t, ok, "%s has a digest without a value", f.Path)
	d, err := late.Digest(t.Context(), f)
	require.NoError(t, err)
	body, err := src.Open(t.Context(), f, 0, -1)
	require.NoError(t, err)
	if b, ok := body.(source.Digested); ok && b.Digest().Known() {
		require.Equal(t, d, b.Digest())
	}
	require.NoError(t, body.Close())
	return d
}

// A model can be checked through the driver, and a truncated one is found.
func testModel(t *testing.T, h Harness) {
	t.Helper()
	repo := h.New(t)
	header := `{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`
	shard := append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header+"data"...)
	repo.Put(t, "config.json", []byte(`{}`))
	repo.Put(t, "tokenizer.json", []byte(`{}`))
	repo.Put(t, "model.safetensors", shard)
	src := repo.Source(t)
	require.NoError(t, source.CheckModel(t.Context(), src, resolve(t, src), nil))
	repo.Put(t, "model.safetensors", shard[:len(shard)-1])
	require.ErrorIs(t, source.CheckModel(t.Context(), src, resolve(t, src), nil), lifecycle.Corrupt)
}

// What a driver offers beside Source is as promised.
func testOptional(t *testing.T, h Harness) {
	t.Helper()
	src, f := stored(t, h.New(t), "a/ü b.bin", noise(100))
	if in, ok := src.(source.InPlace); ok {
		require.True(t, filepath.IsAbs(in.LocalDir()))
		data, err := os.ReadFile(filepath.Join(in.LocalDir(), filepath.FromSlash(f.Path)))
		require.NoError(t, err)
		require.Equal(t, noise(100), data)
	}
	if l, ok := src.(source.Locator); ok {
		u, err := l.Locate(f)
		require.NoError(t, err)
		require.Nil(t, u.User)
		require.Empty(t, u.RawQuery)
		require.Regexp(t, `/a/ü b\.bin$`, u.Path, "the path is literal")
		_, err = l.Locate(source.File{Path: "../x"})
		require.ErrorIs(t, err, lifecycle.Invalid)
	}
}
