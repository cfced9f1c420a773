// Package streams reads ranges of a file also from servers that know no ranges and send all of
// it: such an answer waits for the next range, or each would begin at the file's first byte
// again. Of a file one such answer is read at a time, from its begin to its end, and whoever
// wants a later range waits: to read over the same bytes beside it would bring them no sooner.
//
//	body, err := s.Open(ctx, streams.Range{Key: url, Size: size, Off: off, Len: n}, ask)
//	return owed.New(ctx, body, n, explain), err
package streams

import (
	"context"
	"io"
	"sync"
)

// A Range is what is wanted of a file.
type Range struct {
	Key            string // of the file and its version, among those of one Streams; no secret
	Size, Off, Len int64  // bytes
}

// An Answer is what a server sent when it was asked for a range.
type Answer struct {
	Body  io.ReadCloser
	Whole bool // it has all of the file, from its first byte on
}

// An Ask sends the request for a range. Its context may outlive that of Open.
type Ask func(context.Context) (Answer, error)

// Streams are the answers of one source. The zero value is ready to use, by many at once.
type Streams struct {
	mu    sync.Mutex
	files map[string]*file
	idle  []*file // whose answers wait, the oldest first
}

// Open returns the bytes of r. It has them from an answer that waits, else from one that ask
// gets; while another range is read from an answer that has r as well, it waits for that.
// An error is ctx's or that of ask. The body ends with ctx, and has to be closed.
func (s *Streams) Open(ctx context.Context, r Range, ask Ask) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &want{Range: r, turn: make(chan struct{})}
	if s.enter(w) {
		b, err := s.ask(ctx, w, ask)
		if shared := s.answered(w, b); err != nil {
			return nil, err
		} else if !shared {
			return b, nil
		}
	}
	if err := s.wait(ctx, w); err != nil {
		return nil, err
	}
	return s.serve(ctx, w, ask)
}

// serve is Open for whoever has the turn.
func (s *Streams) serve(ctx context.Context, w *want, ask Ask) (io.ReadCloser, error) {
	if st := s.take(w); st != nil {
		return &body{stream: st, all: s, want: w, whole: true, stop: context.AfterFunc(ctx, st.end)}, nil
	}
	b, err := s.ask(ctx, w, ask)
	if err != nil {
		s.leave(w, nil, w.Off)
		return nil, err
	}
	if s.reads(w, b); !b.whole { // nobody has to wait for it
		s.leave(w, nil, w.Off+w.Len)
	}
	return b, nil
}

// ask sends the request in a context that the answer may outlive. Until then ctx ends it.
func (s *Streams) ask(ctx context.Context, w *want, ask Ask) (*body, error) {
	free, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	a, err := ask(free)
	if err != nil {
		stop()
		end()
		return nil, err
	}
	st := &stream{from: a.Body, end: end}
	if !a.Whole {
		st.pos.Store(w.Off)
	}
	return &body{stream: st, all: s, want: w, whole: a.Whole, stop: stop}, nil
}
