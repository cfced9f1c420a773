package streams

import (
	"cmp"
	"context"
	"slices"
	"time"
)

const (
	// patience is how long a reader may bring nothing while others wait for it.
	patience = 10 * time.Second
	// returning is how long one that went away without all of its range is waited for: it tries
	// again, and if others had read on meanwhile, that would be from the first byte.
	returning = 2 * time.Second
)

// A want is a range that somebody is to read.
type want struct {
	Range
	turn chan struct{} // closed when it is its turn
}

// A file is what is known of one. Its fields are guarded by the Streams' mu.
type file struct {
	whole   bool    // its server sent all of it when a range was asked for last
	ranges  bool    // its server sent a range once
	asking  []*want // who asked when that was not known
	waiting []*want
	reader  *want   // whose turn it is
	read    *stream // by the reader; nil while it asks
	idle    *stream // that waits for the next reader
	left    []int64 // offsets for which somebody will come back
}

// file returns what is known of the file of w. The caller holds mu.
func (s *Streams) file(w *want) *file {
	f := s.files[w.Key]
	if f == nil {
		f = &file{}
		if s.files == nil {
			s.files = map[string]*file{}
		}
		s.files[w.Key] = f
	}
	return f
}

// enter has w wait for its turn, or reports that it is to ask at once.
func (s *Streams) enter(w *want) (ask bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(w)
	f.left = slices.DeleteFunc(f.left, func(off int64) bool { return off >= w.Off && off < w.Off+w.Len })
	if !f.whole || w.Len == w.Size {
		f.asking = append(f.asking, w)
		return true
	}
	f.waiting = append(f.waiting, w)
	f.next()
	return false
}

// answered takes note of what w was told; nil is an error. A stream is for whoever comes first,
// for which w then waits as others do.
func (s *Streams) answered(w *want, b *body) (shared bool) {
	s.mu.Lock()
	f := s.file(w)
	f.asking = without(f.asking, w)
	var gone *stream
	if b != nil && w.Len < w.Size {
		if f.whole, shared = b.whole, b.whole; shared {
			f.waiting = append(f.waiting, w)
			gone = s.hand(f, b.detach())
		} else {
			f.ranges, gone = true, s.unkeep(f) // whoever wanted that asks for a range
		}
	}
	f.next()
	s.mu.Unlock()
	gone.close()
	return shared
}

// next gives the turn to who wants the first of the bytes, after those who still ask for
// earlier ones or come back for them.
func (f *file) next() {
	if f.reader != nil || len(f.waiting) == 0 {
		return
	}
	first := slices.MinFunc(f.waiting, func(a, b *want) int { return cmp.Compare(a.Off, b.Off) })
	if slices.ContainsFunc(f.asking, func(w *want) bool { return w.Off < first.Off && w.Len < w.Size }) ||
		slices.ContainsFunc(f.left, func(off int64) bool { return off < first.Off }) {
		return
	}
	f.reader, f.waiting = first, without(f.waiting, first)
	close(first.turn)
}

// wait returns when it is the turn of w. Whoever has the turn and brings nothing loses it.
func (s *Streams) wait(ctx context.Context, w *want) error {
	ticker := time.NewTicker(patience)
	defer ticker.Stop()
	for seen := s.progress(w); ; {
		select {
		case <-w.turn:
			return nil
		case <-ctx.Done():
			s.leave(w, nil, w.Off)
			return ctx.Err()
		case <-ticker.C:
			now := s.progress(w)
			if now == seen {
				s.usurp(w, now)
			}
			seen = now
		}
	}
}

// A progress is how far whoever has the turn is.
type progress struct {
	reader *want
	pos    int64
}

func (s *Streams) progress(w *want) progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(w)
	p := progress{reader: f.reader}
	if f.read != nil {
		p.pos = f.read.pos.Load()
	}
	return p
}

// usurp takes the turn from whoever has it, or is waited for as it still asks.
func (s *Streams) usurp(w *want, from progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(w)
	if f.reader == from.reader {
		f.asking, f.reader, f.read = nil, nil, nil
		f.next()
	}
}

// take returns the answer that waits where it has what w wants; one that is past it ends.
func (s *Streams) take(w *want) (st *stream) {
	s.mu.Lock()
	f := s.file(w)
	st, gone := s.unkeep(f), (*stream)(nil)
	if st != nil && st.pos.Load() > w.Off {
		st, gone = nil, st
	}
	if f.reader == w {
		f.read = st
	}
	s.mu.Unlock()
	gone.close()
	return st
}

// reads takes note of the answer to w, which had the turn and asked: its server may know ranges
// after all.
func (s *Streams) reads(w *want, b *body) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(w)
	f.whole, f.ranges = b.whole, f.ranges || !b.whole
	if f.reader == w {
		f.read = b.stream
	}
}

// leave ends the turn of w, or its wait, of which the bytes before done have come. The stream,
// if there is one, is for the next.
func (s *Streams) leave(w *want, st *stream, done int64) {
	s.mu.Lock()
	f := s.file(w)
	if f.reader == w || slices.Contains(f.waiting, w) {
		f.await(s, max(done, w.Off), w)
	}
	f.waiting = without(f.waiting, w)
	if f.reader == w {
		f.reader, f.read = nil, nil
		st = s.hand(f, st)
	}
	f.next()
	s.mu.Unlock()
	st.close()
}

// await has the turn wait for somebody who comes back for what is left of w, from off on.
func (f *file) await(s *Streams, off int64, w *want) {
	if off >= w.Off+w.Len {
		return
	}
	f.left = append(f.left, off)
	time.AfterFunc(returning, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		f.left = slices.DeleteFunc(f.left, func(o int64) bool { return o == off })
		f.next()
	})
}

func without(all []*want, w *want) []*want {
	return slices.DeleteFunc(all, func(o *want) bool { return o == w })
}
