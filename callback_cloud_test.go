package spinup_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// bucket is a source in memory: keys to contents.
type bucket map[string]string

func (b bucket) mux(onOpen func()) *source.Mux {
	mux := new(source.Mux)
	mux.Handle("s3", func(_ context.Context, u *url.URL, _ *source.OpenOptions) (source.Source, error) {
		if onOpen != nil {
			onOpen()
		}
		return &folder{b, u}, nil
	})
	return mux
}

// folder is a bucket below a prefix, or one object of it.
type folder struct {
	bucket bucket
	u      *url.URL
}

func (f *folder) Resolve(context.Context) (*source.Manifest, error) {
	prefix := strings.Trim(f.u.Path, "/")
	var files []source.File
	if text, ok := f.bucket[prefix]; ok {
		files = append(files, source.File{Path: path.Base(prefix), Size: int64(len(text)), Version: prefix})
	}
	for key, text := range f.bucket {
		if rest, ok := strings.CutPrefix(key, prefix+"/"); ok {
			files = append(files, source.File{Path: rest, Size: int64(len(text)), Version: key})
		}
	}
	if len(files) == 0 {
		return nil, &lifecycle.Error{Op: "source.Resolve", Kind: lifecycle.NotFound, Target: f.u.String(), Err: errors.New("no such prefix")}
	}
	return source.NewManifest(f.u.String(), "", files)
}

func (f *folder) Open(_ context.Context, file source.File, off, n int64) (io.ReadCloser, error) {
	text := f.bucket[file.Version][off:]
	if n >= 0 && n < int64(len(text)) {
		text = text[:n]
	}
	return io.NopCloser(bytes.NewBufferString(text)), nil
}

func (f *folder) Locate(file source.File) (*url.URL, error) {
	return &url.URL{Scheme: "s3", Host: f.u.Host, Path: "/" + file.Version}, nil
}

func runDownloader(ctx context.Context, mux *source.Mux, paths ...[2]string) error {
	c := &spinup.CloudDownloader{Paths: paths}
	return c.OnBeforeDownloadModelFilesDistributed(ctx, &spinup.ReplicaState{
		Sources: mux, Downloads: &download.Manager{Logger: slog.New(slog.DiscardHandler)}, Log: slog.New(slog.DiscardHandler),
	})
}

func TestCloudDownloader(t *testing.T) {
	t.Parallel()
	b := bucket{"cache/a.txt": "A", "cache/deep/b.txt": "BB", "one.bin": "1", "same/same": "S"}
	dir := t.TempDir()
	at := func(p string) string { return filepath.Join(dir, p) }
	require.NoError(t, os.Mkdir(at("there"), 0o755))
	require.NoError(t, runDownloader(t.Context(), b.mux(nil),
		[2]string{"s3://b/cache", at("folder")},
		[2]string{"s3://b/cache/", at("slash/")},
		[2]string{"s3://b/one.bin", at("sub/two.bin")},
		[2]string{"s3://b/one.bin", at("into") + "/"},
		[2]string{"s3://b/one.bin", at("there")},
		[2]string{"s3://b/same", at("folder of one")},
	))
	for name, want := range map[string]string{
		"folder/a.txt": "A", "folder/deep/b.txt": "BB", "slash/a.txt": "A", "sub/two.bin": "1", "into/one.bin": "1",
		"there/one.bin": "1", "folder of one/same": "S",
	} {
		got, err := os.ReadFile(at(name))
		require.NoError(t, err)
		require.Equal(t, want, string(got), name)
	}
}

// Each path waits for the others to be opened: one after the other would never end.
func TestCloudDownloaderFetchesAllPathsAtOnce(t *testing.T) {
	t.Parallel()
	b := bucket{"x/f": "X", "y/f": "Y", "z/f": "Z"}
	var all sync.WaitGroup
	all.Add(3)
	dir := t.TempDir()
	require.NoError(t, runDownloader(t.Context(), b.mux(func() { all.Done(); all.Wait() }),
		[2]string{"s3://b/x", filepath.Join(dir, "x")}, [2]string{"s3://b/y", filepath.Join(dir, "y")}, [2]string{"s3://b/z", filepath.Join(dir, "z")}))
	require.FileExists(t, filepath.Join(dir, "z", "f"))
}

func TestCloudDownloaderSaysWhichPathFailed(t *testing.T) {
	t.Parallel()
	b := bucket{"x/f": "X"}
	err := runDownloader(t.Context(), b.mux(nil), [2]string{"s3://b/x", t.TempDir()}, [2]string{"s3://b/nope", t.TempDir()})
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "paths[1]: source.Resolve s3://b/nope: not found")
	err = runDownloader(t.Context(), b.mux(nil), [2]string{"gs://b/x", t.TempDir()})
	require.ErrorIs(t, err, lifecycle.Invalid)
}

func TestCloudDownloaderValidates(t *testing.T) {
	t.Parallel()
	c := spinup.CloudDownloader{Paths: [][2]string{{"s3://b/x", "/a"}, {"s3://", "/b"}, {"https://b/x", "/a"}, {"gs://b", ""}}}
	require.Equal(t, []string{
		"paths[1][0]: it names no bucket (write s3://BUCKET/FOLDER)",
		"paths[2][0]: it is no URI of a bucket (begin it with one of s3://, gs://, abfss://, azure://)",
		"paths[2][1]: it is the same as in paths[0] (choose another path)",
		"paths[3][1]: it is empty (give the local path to write to)",
	}, problems(c.Validate()))
	require.Error(t, (&spinup.CloudDownloader{}).Validate())
}
