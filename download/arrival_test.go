package download_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// single fetches one range at a time, in parts of a MiB.
func single() *download.Manager {
	return &download.Manager{Budget: &download.Budget{Connections: 1}, PartSize: mib}
}

func stream(t *testing.T, m *download.Manager, src *memory, store string) *download.Arrival {
	t.Helper()
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	a, err := (&download.Cache{StoreDir: store}).Stream(t.Context(), m, src, man, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

func readRange(t *testing.T, r *download.Reader, f source.File, off, n int64) ([]byte, error) {
	t.Helper()
	body, err := r.Open(t.Context(), f, off, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// What somebody reads is fetched before what nobody waits for, and read before the rest is there.
func TestReadersAreServedFirst(t *testing.T) {
	t.Parallel()
	src := newMemory(map[string][]byte{"a": random(1, 8*mib), "b": random(2, 8*mib)}, "sha256")
	begin, rest := make(chan struct{}), make(chan struct{})
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off == 0 && c.file.Path == "a" {
			c.wait(begin)
		} else if c.off < 5*mib || c.off >= 7*mib || c.file.Path != "b" {
			c.wait(rest)
		}
		return nil, nil
	}
	a := stream(t, single(), src, t.TempDir())
	body, err := a.Reader().Open(t.Context(), file(src, "b"), 5*mib, 2*mib)
	require.NoError(t, err)
	defer body.Close()
	close(begin)
	got, err := io.ReadAll(body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(src.data["b"][5*mib:7*mib], got))
	select {
	case <-a.Done():
		require.Fail(t, "it is all there")
	default:
	}
	close(rest)
	lease, err := a.Lease()
	require.NoError(t, err)
	requireFiles(t, lease.Dir, src.data)
	require.Equal(t, int64(16*mib), src.served)
}

// A range that somebody waits for keeps its place when it is given up for a while.
func TestReadersAreServedFirstAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"a": random(1, 24*mib)}, "sha256")
		begun, begin, throttled := make(chan struct{}, 2), make(chan struct{}), make(chan struct{})
		var asked, before atomic.Int64 // for other ranges: in all, and until this one was asked for again
		src.fault = func(c call) (io.ReadCloser, error) {
			switch {
			case c.off < 2*mib:
				begun <- struct{}{}
				c.wait(begin)
			case c.off == 10*mib && c.try == 1:
				close(throttled)
				return nil, &lifecycle.Error{Kind: lifecycle.Throttled}
			case c.off == 10*mib:
				before.Store(asked.Load())
			case asked.Add(1) == 1:
				c.wait(throttled)
				time.Sleep(time.Second) // still at work when that is told
			}
			return nil, nil
		}
		m := &download.Manager{Budget: &download.Budget{Connections: 2}, PartSize: mib}
		a := stream(t, m, src, dir)
		<-begun
		<-begun
		body, err := a.Reader().Open(t.Context(), src.files[0], 10*mib, mib)
		require.NoError(t, err)
		defer body.Close()
		close(begin)
		got, err := io.ReadAll(body)
		require.NoError(t, err)
		require.True(t, bytes.Equal(src.data["a"][10*mib:11*mib], got))
		_, err = a.Lease()
		require.NoError(t, err)
		require.LessOrEqual(t, before.Load(), int64(2))
	})
}

// What somebody waits for is not put behind what nobody does when another reads a piece of it.
func TestASecondReaderTakesNothingFromTheFirst(t *testing.T) {
	t.Parallel()
	src := newMemory(map[string][]byte{"a": random(1, 32*mib), "b": random(2, 32*mib)}, "crc64nvme")
	begun, begin := make(chan struct{}, 64), make(chan struct{})
	var mu sync.Mutex
	var asked []string
	src.fault = func(c call) (io.ReadCloser, error) {
		begun <- struct{}{}
		c.wait(begin)
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, c.file.Path)
		return nil, nil
	}
	m := single()
	m.PartSize = 32 * mib
	a := stream(t, m, src, t.TempDir())
	<-begun
	r := a.Reader()
	for _, piece := range [][2]int64{{0, 32 * mib}, {20 * mib, 4 * mib}} {
		body, err := r.Open(t.Context(), file(src, "a"), piece[0], piece[1])
		require.NoError(t, err)
		require.NoError(t, body.Close())
	}
	close(begin)
	_, err := a.Lease()
	require.NoError(t, err)
	require.Greater(t, slices.Index(asked, "b"), 1, "%v", asked)
	require.NotContains(t, asked[slices.Index(asked, "b"):], "a")
}

// Bytes of a range are read while the rest of it is on its way.
func TestReadersNeedNotWaitForARange(t *testing.T) {
	t.Parallel()
	src := newMemory(map[string][]byte{"a": random(1, 2*mib)}, "sha256")
	rest := make(chan struct{})
	src.fault = func(c call) (io.ReadCloser, error) {
		return src.body(io.MultiReader(bytes.NewReader(c.data[:mib]), &gated{c, rest, bytes.NewReader(c.data[mib:])})), nil
	}
	m := &download.Manager{Budget: &download.Budget{Connections: 1}, PartSize: 2 * mib}
	r := stream(t, m, src, t.TempDir()).Reader()
	got, err := readRange(t, r, src.files[0], 100, mib-200)
	require.NoError(t, err)
	require.True(t, bytes.Equal(src.data["a"][100:mib-100], got))
	close(rest)
	require.NoError(t, r.Verified(t.Context()))
}

// gated has its bytes when open is closed, or the call has ended.
type gated struct {
	call
	open <-chan struct{}
	io.Reader
}

func (g *gated) Read(p []byte) (int, error) {
	g.wait(g.open)
	return g.Reader.Read(p)
}

// Many read at random what a bad link brings, and nothing is fetched twice for them.
func TestReadersAtRandom(t *testing.T) {
	t.Parallel()
	src := newMemory(map[string][]byte{"a": random(1, 9*mib+1), "b": random(2, 5*mib), "c": random(3, 10), "d": {}}, "sha256")
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.try < 3 && c.n > 1000 {
			return src.body(cutAfter(c.data, len(c.data)/3)), nil
		}
		return nil, nil
	}
	m := &download.Manager{Budget: &download.Budget{Connections: 4}, PartSize: mib}
	a := stream(t, m, src, t.TempDir())
	var g errgroup.Group
	for seed := range uint64(16) {
		r, rnd := a.Reader(), rand.New(rand.NewPCG(seed, 0))
		g.Go(func() error {
			for range 10 {
				f := src.files[rnd.IntN(len(src.files))]
				off := rnd.Int64N(f.Size + 1)
				n := rnd.Int64N(f.Size - off + 1)
				got, err := readRange(t, r, f, off, n)
				if err != nil {
					return err
				}
				if !bytes.Equal(src.data[f.Path][off:off+n], got) {
					return &lifecycle.Error{Kind: lifecycle.Corrupt, Target: f.Path}
				}
			}
			return r.Verified(t.Context())
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, int64(14*mib+11), src.served)
}

// Who has read wrong bytes is told; who reads afterwards gets the right ones.
func TestReadersLearnOfWrongBytes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrong func(c call) []byte
		tries int
		kind  lifecycle.Kind // of the reader that comes second
	}{
		"once":     {flip, 1, 0},
		"too long": {func(c call) []byte { return append(bytes.Clone(c.data), 1) }, 1, 0},
		"twice":    {flip, 2, lifecycle.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := newMemory(map[string][]byte{"a": random(1, mib), "b": random(2, mib)}, "sha256")
			opened, second := make(chan struct{}), make(chan struct{})
			src.fault = func(call call) (io.ReadCloser, error) {
				switch {
				case call.file.Path == "b" && name == "twice":
					return hanging{call.ctx}, nil // or the end of all comes before that of a
				case call.file.Path == "b":
					return nil, nil
				case call.try > 1:
					call.wait(second)
				default:
					call.wait(opened)
				}
				if call.try <= c.tries {
					return src.body(bytes.NewReader(c.wrong(call))), nil
				}
				return nil, nil
			}
			a := stream(t, &download.Manager{Budget: &download.Budget{Connections: 2}}, src, t.TempDir())
			first, innocent := a.Reader(), a.Reader()
			body, err := first.Open(t.Context(), file(src, "a"), 0, -1)
			require.NoError(t, err)
			close(opened)
			_, _ = io.Copy(io.Discard, body) // it may be cut off
			require.NoError(t, body.Close())
			err = first.Verified(t.Context())
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "a: unavailable: bytes of it were read that prove wrong")
			_, err = readRange(t, first, file(src, "a"), 0, -1)
			require.ErrorIs(t, err, lifecycle.Unavailable)
			close(second)
			later := a.Reader()
			got, err := readRange(t, later, file(src, "a"), 0, -1)
			if c.kind != 0 {
				require.ErrorIs(t, later.Verified(t.Context()), c.kind)
				require.ErrorIs(t, innocent.Verified(t.Context()), c.kind)
				_, err = a.Lease()
				require.ErrorIs(t, err, c.kind)
				return
			}
			require.NoError(t, err)
			require.True(t, bytes.Equal(src.data["a"], got))
			require.NoError(t, later.Verified(t.Context()))
			require.NoError(t, innocent.Verified(t.Context()))
		})
	}
}

func flip(c call) []byte {
	b := bytes.Clone(c.data)
	b[len(b)/2] ^= 1
	return b
}

func file(src *memory, path string) source.File {
	for _, f := range src.files {
		if f.Path == path {
			return f
		}
	}
	return source.File{}
}

// An arrival that is closed keeps what it has brought, and one that finds all there reads it.
func TestAnArrivalGoesOn(t *testing.T) {
	t.Parallel()
	src, store := newMemory(map[string][]byte{"a": random(1, 8*mib)}, "crc64nvme"), t.TempDir()
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off >= 4*mib {
			return hanging{c.ctx}, nil
		}
		return nil, nil
	}
	a := stream(t, single(), src, store)
	r := a.Reader()
	_, err := readRange(t, r, src.files[0], 0, 4*mib)
	require.NoError(t, err)
	waiting, err := r.Open(t.Context(), src.files[0], 7*mib, mib)
	require.NoError(t, err)
	defer waiting.Close()
	require.NoError(t, a.Close())
	_, err = waiting.Read(make([]byte, 1))
	require.ErrorIs(t, err, lifecycle.Canceled)
	require.ErrorIs(t, r.Verified(t.Context()), lifecycle.Canceled)

	src.fault = nil
	b := stream(t, single(), src, store)
	got, err := readRange(t, b.Reader(), src.files[0], 0, -1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(src.data["a"], got))
	require.NoError(t, b.Reader().Verified(t.Context()))
	require.Equal(t, int64(8*mib), src.served)

	opens := src.opens()
	c := stream(t, single(), src, store)
	got, err = readRange(t, c.Reader(), src.files[0], 3, 5)
	require.NoError(t, err)
	require.Equal(t, src.data["a"][3:8], got)
	require.Equal(t, opens, src.opens())
	_, err = readRange(t, c.Reader(), src.files[0], 8*mib+1, 5)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

// Two arrivals of one model are one download; a reader that gives up ends nothing.
func TestArrivalsShare(t *testing.T) {
	t.Parallel()
	src, store := newMemory(map[string][]byte{"a": random(1, 4*mib)}, "sha256"), t.TempDir()
	rest := make(chan struct{})
	src.fault = func(c call) (io.ReadCloser, error) {
		c.wait(rest)
		return nil, nil
	}
	a := stream(t, single(), src, store)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	body, err := a.Reader().Open(ctx, src.files[0], 0, 1)
	require.NoError(t, err)
	_, err = body.Read(make([]byte, 1))
	require.ErrorIs(t, err, lifecycle.Timeout)
	require.NoError(t, body.Close())
	require.ErrorIs(t, a.Reader().Verified(ctx), lifecycle.Timeout)
	time.AfterFunc(100*time.Millisecond, func() { close(rest) })
	b := stream(t, single(), src, store)
	for _, a := range []*download.Arrival{a, b} {
		got, err := readRange(t, a.Reader(), src.files[0], 0, -1)
		require.NoError(t, err)
		require.True(t, bytes.Equal(src.data["a"], got))
	}
	require.Equal(t, int64(4*mib), src.served)
}
