package web

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"
)

const (
	maxStreams = 16               // that wait at the same time
	streamIdle = 30 * time.Second // as for idle connections
)

// A stream is an answer that has all of a file, from a server that does not know ranges. It
// waits for the next range, or each would begin at the file's first byte again.
type stream struct {
	key  string // address and version
	pos  int64  // of the next byte
	from io.ReadCloser
	end  context.CancelFunc // ends the request
}

func (s *stream) close() {
	_ = s.from.Close()
	s.end()
}

// streams are those that wait. They end when nobody wants them for 30 s.
type streams struct {
	mu   sync.Mutex
	idle []*stream
}

// take returns the one that is nearest before off, or nil. It is the caller's from then on.
func (s *streams) take(key string, off int64) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := -1
	for i, st := range s.idle {
		if st.key == key && st.pos <= off && (best < 0 || st.pos > s.idle[best].pos) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	st := s.idle[best]
	s.idle = slices.Delete(s.idle, best, best+1)
	return st
}

// give lets st wait. Of too many, the one that waits longest ends.
func (s *streams) give(st *stream) {
	s.mu.Lock()
	s.idle = append(s.idle, st)
	var oldest *stream
	if len(s.idle) > maxStreams {
		oldest = s.idle[0]
		s.idle = slices.Delete(s.idle, 0, 1)
	}
	s.mu.Unlock()
	if oldest != nil {
		oldest.close()
	}
	pos := st.pos
	time.AfterFunc(streamIdle, func() { s.expire(st, pos) })
}

// expire ends st where it has not been taken since it stood at pos.
func (s *streams) expire(st *stream, pos int64) {
	s.mu.Lock()
	i := slices.Index(s.idle, st)
	if i < 0 || st.pos != pos {
		s.mu.Unlock()
		return
	}
	s.idle = slices.Delete(s.idle, i, i+1)
	s.mu.Unlock()
	st.close()
}
