package download

import (
	"context"
	"sync/atomic"
)

// A share is what a run has of the connections of a Budget.
type share struct {
	of            *Budget
	held, waiting atomic.Int32
}

// share makes place for one more run, until leave is called.
func (b *Budget) share() *share {
	b.runs.Add(1)
	return &share{of: b}
}

func (s *share) leave() { s.of.runs.Add(-1) }

// take waits for a connection for a file of that size; give returns it. Small files need no
// large buffers.
func (s *share) take(ctx context.Context, size int64) ([]byte, error) {
	s.wait(1)
	defer s.wait(-1)
	select {
	case buf := <-s.of.buffers:
		s.held.Add(1)
		if need := int(min(max(size, minBuffer), bufferSize)); len(buf) < need {
			buf = newBuffer(need)
		}
		return buf, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newBuffer begins 8 bytes after a multiple of 16: there Go copies with vector instructions. To a
// multiple, on Intel processors of late, it copies with REP MOVSQ, which takes two to three times
// as long from elsewhere (runtime/memmove_amd64.s), where the data of TLS's records lie.
func newBuffer(n int) []byte {
	const off = 8
	return make([]byte, n+off)[off:]
}

func (s *share) wait(n int32) {
	s.waiting.Add(n)
	s.of.waiting.Add(n)
}

func (s *share) give(buf []byte) {
	s.held.Add(-1)
	s.of.buffers <- buf
}

// excess returns how many connections the run holds beyond its part, but not more than other
// runs wait for: so that a small download does not wait for the large ranges of another.
func (s *share) excess() int {
	wanted := s.of.waiting.Load() - s.waiting.Load()
	fair := max(s.of.connections()/max(int(s.of.runs.Load()), 1), 1)
	return min(int(wanted), int(s.held.Load())-fair)
}
