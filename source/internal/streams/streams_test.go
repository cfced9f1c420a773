package streams_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/source/internal/streams"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const size = 1000

// text says at each byte where it is.
var text = strings.Repeat("0123456789", size/10)

// A server knows ranges or not, and counts what it is asked for and what is read of it.
type server struct {
	pause        time.Duration // before each few bytes
	ranges       atomic.Bool
	asked, bytes atomic.Int64
	ended        atomic.Int64
}

func (s *server) get(off, n int64) streams.Ask {
	return func(ctx context.Context) (streams.Answer, error) {
		s.asked.Add(1)
		a := &answer{server: s, ctx: ctx, from: strings.NewReader(text)}
		if s.ranges.Load() {
			a.from = strings.NewReader(text[off : off+n])
		}
		return streams.Answer{Body: a, Whole: !s.ranges.Load()}, ctx.Err()
	}
}

type answer struct {
	*server
	ctx  context.Context //nolint:containedctx // as a response has one
	from io.Reader
}

func (a *answer) Read(p []byte) (int, error) {
	if time.Sleep(a.pause); a.ctx.Err() != nil {
		return 0, a.ctx.Err()
	}
	n, err := a.from.Read(p[:min(len(p), 7)])
	a.bytes.Add(int64(n))
	return n, err
}

func (a *answer) Close() error {
	a.ended.Add(1)
	return nil
}

func open(ctx context.Context, all *streams.Streams, srv *server, off, n int64) (io.ReadCloser, error) {
	return all.Open(ctx, streams.Range{Key: "f", Size: size, Off: off, Len: n}, srv.get(off, n))
}

func read(ctx context.Context, all *streams.Streams, srv *server, off, n int64) (string, error) {
	body, err := open(ctx, all, srv, off, n)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	return string(data), errors.Join(err, body.Close(), body.Close())
}

// However many ranges are wanted at once, the file is read once and a little, also where each
// waits for no longer than it would take to read some of it.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ranges bool
		limit  time.Duration
	}{"whole": {false, time.Hour}, "ranges": {true, time.Hour}, "whole, in a hurry": {false, 20 * time.Millisecond}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var all streams.Streams
				srv := server{pause: time.Millisecond}
				srv.ranges.Store(c.ranges)
				var g errgroup.Group
				g.SetLimit(8)
				for off := int64(0); off < size; off += 40 {
					time.Sleep(time.Microsecond) // they come one after the other
					g.Go(func() error {
						for {
							ctx, end := context.WithCancel(t.Context())
							patience := time.AfterFunc(c.limit, end)
							body, err := open(ctx, &all, &srv, off, 40)
							if patience.Stop(); err != nil {
								time.Sleep(20 * time.Millisecond)
								continue
							}
							got, err := io.ReadAll(body)
							require.Equal(t, text[off:off+40], string(got))
							return errors.Join(err, body.Close())
						}
					})
				}
				require.NoError(t, g.Wait())
				require.LessOrEqual(t, srv.bytes.Load(), int64(size*5/4))
				require.Equal(t, srv.asked.Load(), srv.ended.Load(), "nothing stays open behind the end")
				if c.ranges {
					require.EqualValues(t, size/40, srv.asked.Load())
				}
			})
		})
	}
}

// What is given up in the middle goes on there, and what lies before is asked for anew.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	var all streams.Streams
	var srv server
	body, err := open(t.Context(), &all, &srv, 0, 500)
	require.NoError(t, err)
	_, err = io.ReadFull(body, make([]byte, 100))
	require.NoError(t, err)
	require.NoError(t, body.Close())
	for i, off := range []int64{100, 700, 10} {
		got, err := read(t.Context(), &all, &srv, off, 50)
		require.NoError(t, err)
		require.Equal(t, text[off:off+50], got)
		require.EqualValues(t, []int{1, 1, 2}[i], srv.asked.Load())
	}
	srv.ranges.Store(true)
	for range 2 {
		got, err := read(t.Context(), &all, &srv, 0, 50)
		require.NoError(t, err)
		require.Equal(t, text[:50], got, "it knows ranges after all")
	}
}

// Whoever waits does so no longer than its context, and the end of one reader's is not that of
// the answer.
func TestContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all streams.Streams
		var srv server
		mine, cancel := context.WithCancel(t.Context())
		body, err := open(mine, &all, &srv, 0, 10)
		require.NoError(t, err)
		short, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		_, err = read(short, &all, &srv, 10, 10)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = read(short, &all, &srv, 10, 10)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		cancel()
		got, err := read(t.Context(), &all, &srv, 10, 10)
		require.NoError(t, err)
		require.Equal(t, text[10:20], got)
		require.EqualValues(t, 1, srv.asked.Load())

		mine, cancel = context.WithCancel(t.Context())
		body, err = open(mine, &all, &srv, 20, 10)
		require.NoError(t, err)
		cancel()
		synctest.Wait()
		_, err = io.ReadAll(body)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, body.Close())
		_, err = read(t.Context(), &all, &srv, 20, 10)
		require.NoError(t, err)
		require.EqualValues(t, 2, srv.asked.Load(), "what was cut off is not read on")
		time.Sleep(time.Minute)
		require.Equal(t, srv.asked.Load(), srv.ended.Load(), "nobody came for the rest")
	})
}

// Who reads nothing holds nobody up for ever, also who is the same.
func TestHeldUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all streams.Streams
		var srv server
		first, err := open(t.Context(), &all, &srv, 0, 500)
		require.NoError(t, err)
		began := time.Now()
		got, err := read(t.Context(), &all, &srv, 500, 100)
		require.NoError(t, err)
		require.Equal(t, text[500:600], got)
		require.Less(t, time.Since(began), 15*time.Second)
		data, err := io.ReadAll(first)
		require.NoError(t, err)
		require.Equal(t, text[:500], string(data))
		require.NoError(t, first.Close())
		time.Sleep(time.Minute)
		require.Equal(t, srv.asked.Load(), srv.ended.Load())
	})
}

// A failure is that of whoever asked, and the next one asks.
func TestFailure(t *testing.T) {
	t.Parallel()
	var all streams.Streams
	var srv server
	_, err := read(t.Context(), &all, &srv, 0, 10)
	require.NoError(t, err)
	_, err = read(t.Context(), &all, &srv, 990, 10) // to its end
	require.NoError(t, err)
	_, err = all.Open(t.Context(), streams.Range{Key: "f", Size: size, Off: 10, Len: 10}, func(context.Context) (streams.Answer, error) {
		return streams.Answer{}, io.ErrClosedPipe
	})
	require.ErrorIs(t, err, io.ErrClosedPipe)
	got, err := read(t.Context(), &all, &srv, 10, 10)
	require.NoError(t, err)
	require.Equal(t, text[10:20], got)
}
