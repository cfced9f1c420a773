package download_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// memory is a Source whose files are in memory, and whose faults a test decides.
type memory struct {
	uri, revision string
	files         []source.File
	data          map[string][]byte

	// fault, when set, may replace the body of a call, counted from 1 for each file and
	// offset, or return an error in place of it.
	fault func(c call) (io.ReadCloser, error)

	mu     sync.Mutex
	calls  []call
	counts map[string]int
	served int64 // bytes handed out
}

// A call is one Open.
type call struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call
	file   source.File
	off, n int64
	try    int    // how often this file was opened at this offset, this time included
	data   []byte // the bytes asked for
}

// wait ends with the call, so that a test that fails does not hang.
func (c call) wait(begin <-chan struct{}) {
	select {
	case <-begin:
	case <-c.ctx.Done():
	}
}

func newMemory(files map[string][]byte, algorithm string) *memory {
	s := &memory{uri: "mem://model", data: files, counts: map[string]int{}}
	for path, data := range files {
		f := source.File{Path: path, Size: int64(len(data)), Version: "v1"}
		if algorithm != "" {
			f.Digest = digest(algorithm, data)
		}
		s.files = append(s.files, f)
	}
	return s
}

func digest(algorithm string, data []byte) source.Digest {
	d := source.Digest{Algorithm: algorithm}
	h := d.NewHash(int64(len(data)))
	h.Write(data)
	d.Hex = hex.EncodeToString(h.Sum(nil))
	return d
}

// random returns n bytes that depend on seed alone.
func random(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func (s *memory) Resolve(context.Context) (*source.Manifest, error) {
	return source.NewManifest(s.uri, s.revision, s.files)
}

func (s *memory) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	data, ok := s.data[f.Path]
	if !ok {
		return nil, &lifecycle.Error{Op: "mem.Open", Kind: lifecycle.MissingFile, Target: f.Path}
	}
	s.mu.Lock()
	key := fmt.Sprint(f.Path, "@", off)
	s.counts[key]++
	c := call{ctx: ctx, file: f, off: off, n: n, try: s.counts[key], data: data[min(off, int64(len(data))):min(off+n, int64(len(data)))]}
	s.calls = append(s.calls, c)
	s.mu.Unlock()
	if s.fault != nil {
		if body, err := s.fault(c); body != nil || err != nil {
			return body, err
		}
	}
	return s.body(bytes.NewReader(c.data)), nil
}

// body counts what is read of r.
func (s *memory) body(r io.Reader) io.ReadCloser { return io.NopCloser(&counted{r: r, s: s}) }

type counted struct {
	r io.Reader
	s *memory
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.s.mu.Lock()
	c.s.served += int64(n)
	c.s.mu.Unlock()
	return n, err
}

func (s *memory) opens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

var errReset = errors.New("connection reset by peer")

// cutAfter is a body that breaks off after the first n bytes of data.
func cutAfter(data []byte, n int) io.Reader {
	return io.MultiReader(bytes.NewReader(data[:min(n, len(data))]), broken{})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errReset }

// hanging is a body that brings nothing until its context ends.
type hanging struct {
	ctx context.Context //nolint:containedctx // it is the body of one call
}

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

func (hanging) Close() error { return nil }

// requireFiles fails unless dir holds exactly the files, beside the folder of our state.
func requireFiles(tb testing.TB, dir string, files map[string][]byte) {
	tb.Helper()
	require.ElementsMatch(tb, keys(files), visible(tb, dir))
	for path, want := range files {
		requireFile(tb, dir, path, want)
	}
}

func requireFile(tb testing.TB, dir, path string, want []byte) {
	tb.Helper()
	got, err := os.ReadFile(filepath.Join(dir, path))
	require.NoError(tb, err)
	require.True(tb, bytes.Equal(want, got), "%s differs", path)
}

func keys(files map[string][]byte) []string {
	var out []string
	for path := range files {
		out = append(out, path)
	}
	return out
}

// visible lists the files below dir under their final names.
func visible(tb testing.TB, dir string) []string {
	tb.Helper()
	var out []string
	require.NoError(tb, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".spinup" {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			rel, err := filepath.Rel(dir, path)
			out = append(out, filepath.ToSlash(rel))
			return err
		}
		return nil
	}))
	return out
}

// unfinished lists the partial files of dir.
func unfinished(tb testing.TB, dir string) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".spinup", "*.partial"))
	require.NoError(tb, err)
	return names
}

// slow is a body that waits before each hundred bytes.
type slow struct {
	data  []byte
	pause time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if len(s.data) == 0 {
		return 0, io.EOF
	}
	time.Sleep(s.pause)
	n := copy(p, s.data[:min(100, len(s.data))])
	s.data = s.data[n:]
	return n, nil
}

// moody is a memory whose first calls of Resolve fail.
type moody struct {
	*memory
	fails int
	err   error
}

func (m *moody) Resolve(ctx context.Context) (*source.Manifest, error) {
	if m.fails--; m.fails >= 0 {
		return nil, m.err
	}
	return m.memory.Resolve(ctx)
}
