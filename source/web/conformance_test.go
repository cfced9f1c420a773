package web_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/sourcetest"
	"github.com/spinup-llm/spinup/source/web"
	"github.com/stretchr/testify/require"
)

// store is what all servers have in common.
type store interface {
	put(tb testing.TB, name string, data []byte)
	remove(tb testing.TB, name string)
	address() string
}

// repo is a folder of a server. With a slash at its end or without one.
type repo struct {
	store
	folder, end string
}

func (r repo) Put(tb testing.TB, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.folder+"/"+path, data)
}

func (r repo) PutBeside(tb testing.TB, suffix, path string, data []byte) {
	tb.Helper()
	r.put(tb, r.folder+suffix+"/"+path, data)
}

func (r repo) Delete(tb testing.TB, path string) {
	tb.Helper()
	r.remove(tb, r.folder+"/"+path)
}

func (r repo) Source(tb testing.TB) source.Source {
	tb.Helper()
	return open(tb, r.address()+"/"+r.folder+r.end, nil)
}

func harness(s store, end string) sourcetest.Harness {
	var n atomic.Int64
	return sourcetest.Harness{
		New: func(tb testing.TB) sourcetest.Repo {
			tb.Helper()
			models := fmt.Sprintf("models%d", n.Add(1))
			s.put(tb, models+"/elsewhere/file", []byte("x"))
			return repo{s, models + "/llama", end}
		},
		Many: 300,
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, harness(goServer(t), "/"))
}

func TestConformanceWithoutSlash(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, harness(goServer(t), ""))
}

func TestConformanceFake(t *testing.T) {
	t.Parallel()
	h := harness(newFake(t), "/")
	h.Hostile = true
	sourcetest.Run(t, h)
}

func TestConformancePython(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, harness(pythonServer(t), "/"))
}

// nginx hides names that begin with a dot: a list names them, and brings digests.
func TestConformanceNginx(t *testing.T) {
	t.Parallel()
	h := harness(listing{nginxServer(t)}, "/SHA256SUMS")
	h.Digests, h.Many = true, 50 // each Put reads all files again
	sourcetest.Run(t, h)
}

// A listing keeps SHA256SUMS in each model's folder.
type listing struct{ disk }

func (l listing) put(tb testing.TB, name string, data []byte) {
	tb.Helper()
	l.disk.put(tb, name, data)
	parts := strings.SplitN(name, "/", 3)
	l.sums(tb, parts[0]+"/"+parts[1])
}

func (l listing) sums(tb testing.TB, folder string) {
	tb.Helper()
	var text strings.Builder
	dir := filepath.Join(l.root, folder)
	require.NoError(tb, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "SHA256SUMS" {
			return err
		}
		data, err := os.ReadFile(file)
		require.NoError(tb, err)
		fmt.Fprintf(&text, "%x  ./%s\n", sha256.Sum256(data), strings.TrimPrefix(file, dir+"/"))
		return nil
	}))
	l.disk.put(tb, folder+"/SHA256SUMS", []byte(text.String()))
}

// hermetic is the driver's Opener with env and nothing of the process's environment.
func hermetic(env lifecycle.EnvVars) source.Opener {
	opener := web.Opener(nil)
	return func(ctx context.Context, u *url.URL, o *source.OpenOptions) (source.Source, error) {
		o.Getenv = func(key string) string { return env[key] }
		return opener(ctx, u, o)
	}
}

func tryOpen(tb testing.TB, uri string, env lifecycle.EnvVars) (source.Source, error) {
	tb.Helper()
	var mux source.Mux
	mux.Handle("http", hermetic(env))
	mux.Handle("https", hermetic(env))
	return mux.Open(tb.Context(), uri)
}

// open opens uri with nothing but env.
func open(tb testing.TB, uri string, env lifecycle.EnvVars) source.Source {
	tb.Helper()
	src, err := tryOpen(tb, uri, env)
	require.NoError(tb, err)
	return src
}

func resolve(tb testing.TB, src source.Source) *source.Manifest {
	tb.Helper()
	m, err := src.Resolve(tb.Context())
	require.NoError(tb, err)
	return m
}

func readAll(tb testing.TB, src source.Source, f source.File) string {
	tb.Helper()
	body, err := src.Open(tb.Context(), f, 0, -1)
	require.NoError(tb, err)
	defer func() { require.NoError(tb, body.Close()) }()
	data, err := io.ReadAll(body)
	require.NoError(tb, err)
	return string(data)
}

// dump formats v in every way that a log may.
func dump(v any) string { return fmt.Sprintf("%v %+v %#v %s %q", v, v, v, v, v) }
