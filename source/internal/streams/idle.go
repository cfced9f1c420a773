package streams

import (
	"slices"
	"time"
)

const (
	maxIdle  = 16               // files whose answers wait at the same time
	idleTime = 30 * time.Second // as for idle connections
)

// hand lets st, where it is one, wait for whoever reads f next, for a while. It returns what is
// to be closed: of too many the one that waits longest, or st where f is read already, or its server
// knows ranges after all. The caller holds mu.
func (s *Streams) hand(f *file, st *stream) (gone *stream) {
	if st == nil || !f.whole || f.reader != nil || f.idle != nil {
		return st
	}
	f.idle = st
	s.idle = append(s.idle, f)
	pos, wait := st.pos.Load(), idleTime
	if f.ranges { // the next may well be told another range
		wait = returning
	}
	time.AfterFunc(wait, func() { s.expire(f, st, pos) })
	if len(s.idle) > maxIdle {
		return s.unkeep(s.idle[0])
	}
	return nil
}

// unkeep returns what waits for whoever wants f next, or nil. The caller holds mu.
func (s *Streams) unkeep(f *file) *stream {
	st := f.idle
	f.idle = nil
	s.idle = slices.DeleteFunc(s.idle, func(o *file) bool { return o == f })
	return st
}

// expire ends st where it has not been taken since it stood at pos.
func (s *Streams) expire(f *file, st *stream, pos int64) {
	s.mu.Lock()
	var gone *stream
	if f.idle == st && st.pos.Load() == pos {
		gone = s.unkeep(f)
	}
	s.mu.Unlock()
	gone.close()
}
