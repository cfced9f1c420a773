package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// failing is a Source whose first Opens of each file go wrong: a body of some bytes that ends
// with err, or with err in its place where cut is not set.
type failing struct {
	memory
	err   error // nil: the body is silent until its context ends
	cut   bool
	times int

	mu    sync.Mutex
	opens map[string]int
}

func (s *failing) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opens == nil {
		s.opens = map[string]int{}
	}
	body, err := s.memory.Open(ctx, f, off, n)
	if err != nil {
		return nil, err
	}
	switch s.opens[f.Path]++; {
	case s.opens[f.Path] > s.times:
		return body, nil
	case s.cut:
		return io.NopCloser(io.MultiReader(io.LimitReader(body, 5), iotest.ErrReader(s.err))), nil
	case s.err != nil:
		return nil, s.err
	default:
		return io.NopCloser(io.MultiReader(io.LimitReader(body, 5), silent{ctx.Done()})), nil
	}
}

// asked is how many Opens there were.
func (s *failing) asked() (n int) {
	for _, times := range s.opens {
		n += times
	}
	return n
}

type silent struct{ ended <-chan struct{} }

func (s silent) Read([]byte) (int, error) {
	<-s.ended
	return 0, context.Canceled
}

func kind(k lifecycle.Kind, cause error) error {
	return &lifecycle.Error{Op: "source.Read", Kind: k, Err: cause}
}

// What fails for a while does not fail the check of a model, nor is it the model's fault.
func TestCheckModelTriesAgain(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]*failing{
		"a cut connection":          {cut: true, err: kind(lifecycle.Unavailable, io.ErrUnexpectedEOF)},
		"one that tells no kind":    {cut: true, err: io.ErrUnexpectedEOF},
		"a reset":                   {cut: true, err: errors.New("connection reset by peer")},
		"a service that is busy":    {err: kind(lifecycle.Unavailable, errors.New("503"))},
		"one that asks for a pause": {err: source.WithRetryAfter(kind(lifecycle.Throttled, errors.New("429")), 20*time.Second)},
		"a silent server":           {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src.memory, src.times = model(t), 1
				begun := time.Now()
				require.NoError(t, source.CheckModel(t.Context(), src, src.manifest(t), nil))
				require.Equal(t, 2*4, src.asked(), "config.json, the index and two shards")
				if pause := source.RetryAfter(src.err); pause > 0 {
					require.GreaterOrEqual(t, time.Since(begun), pause)
				}
			})
		})
	}
}

// What would fail again is told at once, and so is a pause that is too long.
func TestCheckModelDoesNotTryAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		src  *failing
		kind lifecycle.Kind
	}{
		"no permission":     {&failing{err: kind(lifecycle.AccessDenied, io.EOF)}, lifecycle.AccessDenied},
		"the file ends":     {&failing{err: io.EOF, cut: true}, lifecycle.Corrupt},
		"it has changed":    {&failing{err: kind(lifecycle.Corrupt, io.EOF), cut: true}, lifecycle.Corrupt},
		"come back tonight": {&failing{err: source.WithRetryAfter(kind(lifecycle.Throttled, io.EOF), time.Hour)}, lifecycle.Throttled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c.src.memory, c.src.times = memory{"config.json": "{    }", "tokenizer.json": "{}"}, 9
				begun := time.Now()
				err := source.CheckModel(t.Context(), c.src, c.src.manifest(t), &source.CheckOptions{NoWeights: true})
				require.Equal(t, c.kind, lifecycle.KindOf(err), "%v", err)
				require.Zero(t, time.Since(begun))
				require.Equal(t, 1, c.src.asked())
			})
		})
	}
}

// A source that is gone is told by its own kind within two minutes, however many files there are.
func TestCheckModelGivesUp(t *testing.T) {
	t.Parallel()
	many := memory{"config.json": "{     }", "tokenizer.json": "{}"}
	for i := range 50 {
		many[fmt.Sprintf("%d.safetensors", i)] = strings.Repeat("x", 100)
	}
	for name, src := range map[string]*failing{
		"unavailable": {err: kind(lifecycle.Unavailable, errors.New("503"))},
		"silent":      {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src.memory, src.times = many, 1000
				begun := time.Now()
				err := source.CheckModel(t.Context(), src, src.manifest(t), nil)
				require.Equal(t, lifecycle.Unavailable, lifecycle.KindOf(err), "%v", err)
				require.Greater(t, time.Since(begun), 15*time.Second)
				require.Less(t, time.Since(begun), 2*time.Minute)
				require.Len(t, src.opens, 1, "no other file is asked for")
			})
		})
	}
}

func TestCheckModelCanceledInAPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		src := &failing{memory: model(t), times: 9, err: source.WithRetryAfter(kind(lifecycle.Throttled, io.EOF), 30*time.Second)}
		begun := time.Now()
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, source.CheckModel(ctx, src, src.manifest(t), nil), lifecycle.Canceled)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// Whoever is slow with what it read does not make the source silent.
func TestReadWaitsForItsReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := memory{"a": "some bytes"}
		f, _ := m.manifest(t).File("a")
		err := source.Read(t.Context(), m, f, 0, -1, func(r io.Reader) error {
			for range 10 {
				if _, err := r.Read(make([]byte, 1)); err != nil {
					return err
				}
				time.Sleep(time.Minute)
			}
			return nil
		})
		require.NoError(t, err)
	})
}
