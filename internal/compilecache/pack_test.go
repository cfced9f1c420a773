package compilecache_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/compilecache"
	"github.com/stretchr/testify/require"
)

func key() compilecache.Key {
	return compilecache.Key{Model: "sha256:77", Parts: map[string]string{"engine": "fake 1", "hardware": "avx2"}}
}

// tree is what an engine may leave behind, with some of what is not to be kept.
var tree = map[string]string{
	"inductor/ab/cab.so":    "\x7fELF" + strings.Repeat("code", 500),
	"inductor/ab/cab.cpp":   "int main() {}",
	"modelinfos/llama.json": "{}",
	"empty":                 "",
	"inductor/locks/x.lock": "",
}

func keep(path string) bool { return !strings.HasSuffix(path, ".lock") }

func kept() map[string]string {
	files := maps.Clone(tree)
	maps.DeleteFunc(files, func(path, _ string) bool { return !keep(path) })
	return files
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return dir
}

func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, readErr := os.ReadFile(filepath.Join(dir, path))
			files[path], err = string(data), readErr
		}
		return err
	}))
	return files
}

func packed(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	_, err := compilecache.Pack(t.Context(), &out, dir, key(), keep)
	require.NoError(t, err)
	return out.Bytes()
}

func unpack(t *testing.T, pack []byte) (dir string, err error) {
	t.Helper()
	dir = t.TempDir()
	_, err = compilecache.Unpack(t.Context(), bytes.NewReader(pack), dir, key())
	return dir, err
}

func TestAPackBringsTheFiles(t *testing.T) {
	t.Parallel()
	pack := packed(t, write(t, tree))
	require.Equal(t, pack, packed(t, write(t, tree)), "equal files make equal packs")
	dir := t.TempDir()
	contents, err := compilecache.Unpack(t.Context(), bytes.NewReader(pack), dir, key())
	require.NoError(t, err)
	require.Equal(t, compilecache.Contents{Files: 4, Bytes: 2_019}, contents)
	require.Equal(t, kept(), read(t, dir))
}

func TestNothingMakesNoPack(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"x.lock": ""})
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	_, err := compilecache.Pack(t.Context(), new(bytes.Buffer), dir, key(), keep)
	require.ErrorIs(t, err, compilecache.ErrEmpty)
}

// changing is a writer during whose work a file changes.
type changing struct {
	bytes.Buffer
	change func()
}

func (c *changing) Write(p []byte) (int, error) {
	c.change()
	return c.Buffer.Write(p)
}

func TestAFileThatChangesIsNotPacked(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"shorter": "a", "longer": "abc", "other": "xy"} {
		dir := write(t, map[string]string{"f": "ab"})
		w := &changing{change: func() { require.NoError(t, os.WriteFile(filepath.Join(dir, "f"), []byte(text), 0o600)) }}
		_, err := compilecache.Pack(t.Context(), w, dir, key(), keep)
		require.ErrorContains(t, err, "f changed while it was packed", name)
	}
}

func TestWrongBytesAreNeverUsed(t *testing.T) {
	t.Parallel()
	pack := packed(t, write(t, tree))
	for i := 10; i < len(pack); i++ { // gzip's own header holds a time and a system, which do not count
		wrong := bytes.Clone(pack)
		wrong[i] ^= 0x10
		dir, err := unpack(t, wrong)
		if err == nil { // a bit that deflate leaves unused
			require.Equal(t, kept(), read(t, dir), "byte %d", i)
		} else {
			require.ErrorIs(t, err, compilecache.ErrBroken, "byte %d", i)
		}
		_, err = unpack(t, pack[:i])
		require.ErrorIs(t, err, compilecache.ErrBroken, "cut after %d", i)
	}
	_, err := unpack(t, append(bytes.Clone(pack), pack...))
	require.ErrorIs(t, err, compilecache.ErrBroken, "two packs in one")
}

func TestAForeignPackIsNeverUsed(t *testing.T) {
	t.Parallel()
	pack := packed(t, write(t, tree))
	for part, k := range map[string]compilecache.Key{
		"model":    {Model: "sha256:78", Parts: key().Parts},
		"hardware": {Model: "sha256:77", Parts: map[string]string{"engine": "fake 1", "hardware": "avx512"}},
		"torch":    {Model: "sha256:77", Parts: map[string]string{"engine": "fake 1", "hardware": "avx2", "torch": "2"}},
		"engine":   {Model: "sha256:77", Parts: map[string]string{"hardware": "avx2"}},
	} {
		dir := t.TempDir()
		_, err := compilecache.Unpack(t.Context(), bytes.NewReader(pack), dir, k)
		require.ErrorIs(t, err, compilecache.ErrBroken)
		require.ErrorContains(t, err, "another "+part)
		require.Empty(t, read(t, dir))
		require.NotEqual(t, key().Name(), k.Name())
	}
}

// made is a pack by hand: an index and entries, which may not fit.
func made(t *testing.T, index string, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	put := func(h tar.Header, text string) {
		h.Size, h.Mode = int64(len(text)), 0o644
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
	}
	put(tar.Header{Name: "index.json", Typeflag: tar.TypeReg}, index)
	for _, h := range entries {
		text := "text"
		if h.Typeflag != tar.TypeReg {
			text = ""
		}
		put(h, text)
	}
	require.NoError(t, w.Close())
	require.NoError(t, zip.Close())
	return out.Bytes()
}

func TestNothingIsWrittenOutside(t *testing.T) {
	t.Parallel()
	const digest = "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1" // of "text"
	index := func(path string) string {
		return `{"format":1,"key":{"model":"sha256:77","engine":{"engine":"fake 1","hardware":"avx2"}},"files":[{"path":"` +
			path + `","size":4,"sha256":"` + digest + `"}]}`
	}
	good := tar.Header{Name: "f", Typeflag: tar.TypeReg}
	_, err := unpack(t, made(t, index("f"), good))
	require.NoError(t, err)
	for name, pack := range map[string][]byte{
		"a path that leaves":      made(t, index("../f"), tar.Header{Name: "../f", Typeflag: tar.TypeReg}),
		"an absolute path":        made(t, index("/f"), tar.Header{Name: "/f", Typeflag: tar.TypeReg}),
		"a link":                  made(t, index("f"), tar.Header{Name: "f", Typeflag: tar.TypeSymlink, Linkname: "/etc"}),
		"another name":            made(t, index("f"), tar.Header{Name: "g", Typeflag: tar.TypeReg}),
		"an entry too many":       made(t, index("f"), good, good),
		"an entry too few":        made(t, index("f")),
		"a form of another time":  made(t, strings.Replace(index("f"), `:1`, `:2`, 1), good),
		"an index that is none":   made(t, "[]", good),
		"a digest of other bytes": made(t, strings.Replace(index("f"), "98", "99", 1), good),
	} {
		_, err := unpack(t, pack)
		require.ErrorIs(t, err, compilecache.ErrBroken, name)
	}
}

func FuzzUnpack(f *testing.F) {
	var out bytes.Buffer
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("text"), 0o600); err != nil {
		f.Fatal(err)
	}
	if _, err := compilecache.Pack(f.Context(), &out, dir, key(), keep); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, pack []byte) {
		above := t.TempDir()
		into := filepath.Join(above, "in")
		require.NoError(t, os.Mkdir(into, 0o755))
		contents, err := compilecache.Unpack(t.Context(), bytes.NewReader(pack), into, key())
		entries, readErr := os.ReadDir(above)
		require.NoError(t, readErr)
		require.Len(t, entries, 1)
		if err == nil {
			require.Len(t, read(t, into), contents.Files)
		}
	})
}
