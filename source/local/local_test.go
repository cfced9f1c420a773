package local_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/stretchr/testify/require"
)

type repo struct{ dir string }

func (r repo) Put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	write(tb, filepath.Join(r.dir, path), data)
}

func (r repo) PutBeside(tb testing.TB, suffix, path string, data []byte) {
	tb.Helper()
	write(tb, filepath.Join(r.dir+suffix, path), data)
}

func (r repo) Delete(tb testing.TB, path string) {
	tb.Helper()
	require.NoError(tb, os.Remove(filepath.Join(r.dir, path)))
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return open(tb, r.dir)
}

func write(tb testing.TB, path string, data []byte) {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o750))
	require.NoError(tb, os.WriteFile(path, data, 0o600))
}

func open(tb testing.TB, uri string) source.Source {
	tb.Helper()
	var mux source.Mux
	mux.Handle("file", local.Opener())
	src, err := mux.Open(tb.Context(), uri)
	require.NoError(tb, err)
	return src
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			return repo{filepath.Join(tb.TempDir(), "llama")}
		},
		Many: 1100, Creates: true,
	})
}

func resolve(t *testing.T, dir string) (*source.Manifest, error) {
	t.Helper()
	return open(t, dir).Resolve(t.Context())
}

// A snapshot of the Hugging Face cache holds links to blobs beside it.
func TestHubCache(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "models--org--name")
	write(t, filepath.Join(root, "blobs/c0ffee"), []byte("{}"))
	snapshot := filepath.Join(root, "snapshots/abc")
	require.NoError(t, os.MkdirAll(snapshot, 0o750))
	require.NoError(t, os.Symlink("../../blobs/c0ffee", filepath.Join(snapshot, "config.json")))

	src := open(t, snapshot)
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, "config.json", man.Files[0].Path)
	require.Equal(t, int64(2), man.Files[0].Size)
	body, err := src.Open(t.Context(), man.Files[0], 0, -1)
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "{}", string(data))
	require.NoError(t, body.Close())

	require.NoError(t, os.Remove(filepath.Join(root, "blobs/c0ffee")))
	_, err = src.Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "config.json")
	require.ErrorContains(t, err, "link to a file that is gone")
}

func TestListsFilesOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{"a", "b/c", ".gitattributes", ".git/objects/x", ".cache/huggingface/y", "b/.git/z"} {
		write(t, filepath.Join(dir, path), nil)
	}
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	require.NoError(t, os.Symlink(dir, filepath.Join(dir, "loop")))
	man, err := resolve(t, dir)
	require.NoError(t, err)
	var paths []string
	for _, f := range man.Files {
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{".gitattributes", "a", "b/c"}, paths)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "llama/config.json"), nil)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o750))
	write(t, filepath.Join(dir, `odd/a\b`), nil)
	for path, want := range map[string]struct {
		kind lifecycle.Kind
		text string
	}{
		"lama":                {lifecycle.NotFound, `in ` + dir + ` did you mean "llama"?`},
		"lama/8b/x":           {lifecycle.NotFound, `in ` + dir + ` did you mean "llama"?`},
		"zzz":                 {lifecycle.NotFound, `there are "empty", "llama", "odd"`},
		"llama/config.json/x": {lifecycle.NotFound, "there is no such directory"},
		"empty":               {lifecycle.NotFound, "holds no files"},
		"llama/config.json":   {lifecycle.Invalid, "give the folder that it lies in: " + dir + "/llama"},
		"odd":                 {lifecycle.Invalid, `"a\\b"`},
	} {
		_, err := resolve(t, filepath.Join(dir, path))
		require.ErrorIs(t, err, want.kind, path)
		require.ErrorContains(t, err, want.text)
	}
}

func TestOpenerRefuses(t *testing.T) {
	t.Parallel()
	var mux source.Mux
	mux.Handle("file", local.Opener())
	for _, uri := range []string{"file://host/a", "file://u:secret@/a", "file:///a?secret=1", "file://"} {
		_, err := mux.Open(t.Context(), uri)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.NotContains(t, err.Error(), "secret")
	}
	require.Equal(t, "/a b", open(t, "file:///a%20b").(*local.Dir).LocalDir())
	require.Equal(t, "/a", open(t, "file://localhost/a").(*local.Dir).LocalDir())
}

// A folder that this user may not read, as lost+found at the root of a volume, is no part of the
// model; the top folder and its files are.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.json"), nil)
	write(t, filepath.Join(dir, "lost+found/a"), nil)
	write(t, filepath.Join(dir, "secret"), nil)
	for _, name := range []string{"lost+found", "secret"} {
		require.NoError(t, os.Chmod(filepath.Join(dir, name), 0))
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "lost+found"), 0o700) })
	src := open(t, dir)
	asUser(t, func() {
		man, err := src.Resolve(t.Context())
		require.NoError(t, err)
		require.Len(t, man.Files, 2)
		_, err = src.Open(t.Context(), man.Files[1], 0, -1)
		require.ErrorIs(t, err, lifecycle.AccessDenied)
		_, err = open(t, filepath.Join(dir, "lost+found")).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.AccessDenied)
	})
}

// A file that is cut while it is read is no shorter file.
func TestCutWhileReading(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, make([]byte, 1<<20))
	src := open(t, dir)
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	body, err := src.Open(t.Context(), man.Files[0], 0, -1)
	require.NoError(t, err)
	_, err = io.ReadFull(body, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 100))
	_, err = io.Copy(io.Discard, body)
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.NoError(t, body.Close())
}

// What has become a pipe is refused, not waited for.
func TestBecamePipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	write(t, path, nil)
	src := open(t, dir)
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	_, err = src.Open(t.Context(), man.Files[0], 0, -1)
	require.ErrorIs(t, err, lifecycle.Corrupt)
}

func ExampleNew() {
	dir, _ := os.MkdirTemp("", "model")
	defer os.RemoveAll(dir)
	_ = os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600)

	src, _ := local.New(dir)
	man, _ := src.Resolve(context.Background())
	for _, f := range man.Files {
		fmt.Println(f.Path, f.Size)
	}
	fmt.Println(source.CheckModel(context.Background(), src, man, &source.CheckOptions{NoTokenizer: true, NoWeights: true}))
	// Output:
	// config.json 2
	// <nil>
}
