package download

import (
	"sync/atomic"
	"time"
)

const (
	// minSplit is the least that is worth a request of its own, in bytes and in time.
	minSplit     = mib
	minSplitTime = 250 * time.Millisecond
	pageSize     = 4096
	// reserveStep is how much of a part is allocated at once.
	reserveStep = 8 * mib
)

// A part is a range of a file. One worker at a time changes it; others read pos, end and
// speed, and only assembly.split changes end.
type part struct {
	asm       *assembly
	off       int64
	end       atomic.Int64
	pos       atomic.Int64  // all before has been written
	speed     atomic.Int64  // bytes per second of late; 0 when not yet known
	reserved  int64         // what is allocated ends here
	claimed   int64         // what the worker reads ends here; guarded by the assembly
	waited    atomic.Bool   // a Reader waits for it
	sum       uint64        // of [off, pos)
	began     int64         // pos when the try at hand began
	noted     int64         // pos when the journal was last told
	oversized bool          // a body was too long once
	patience  time.Duration // with a slow source; 0 means that of the first time
}

func newPart(a *assembly, off, end int64) *part {
	p := &part{asm: a, off: off, claimed: off, noted: off}
	p.end.Store(end)
	p.pos.Store(off)
	return p
}

func (p *part) missing() int64 { return p.end.Load() - p.pos.Load() }

// remaining is the time that the part will take.
func (p *part) remaining() time.Duration {
	return time.Duration(float64(p.missing()) / float64(max(p.speed.Load(), 1)) * float64(time.Second))
}

// splits reports whether half of what is missing is worth a request.
func (p *part) splits() bool {
	return p.speed.Load() > 0 && p.missing() >= 2*minSplit && p.remaining() >= 2*minSplitTime
}

// reserve allocates ahead of the next n bytes, which is cheaper than to do it bit by bit. The
// steps are small enough that nobody who writes to the same file waits for long.
func (p *part) reserve(n int64) error {
	at, missing := p.pos.Load(), p.missing()
	if at+n <= p.reserved || missing <= mib {
		return nil
	}
	ahead := min(missing, reserveStep)
	p.reserved = at + ahead
	p.asm.turn.Lock()
	defer p.asm.turn.Unlock()
	return reserve(p.asm.out, at, ahead)
}

// claim returns how many of the next n bytes the worker is to read; those will not be
// taken from it.
func (p *part) claim(n int) int64 {
	p.asm.mu.Lock()
	defer p.asm.mu.Unlock()
	at := p.pos.Load()
	p.claimed = min(at+int64(n), p.end.Load())
	return p.claimed - at
}

// split cuts off the second half of what p's worker has not claimed and returns it as a part
// of its own, or nil when that is too little by now.
func (a *assembly) split(p *part) *part {
	a.mu.Lock()
	defer a.mu.Unlock()
	half := (p.end.Load() - p.claimed) / 2
	if half < minSplit/2 {
		return nil
	}
	return a.cutAt(p, p.claimed+half)
}

// cut shortens p, which nobody works at, to about n bytes and returns the rest, or nil when
// that is not worth it.
func (a *assembly) cut(p *part, n int64) *part {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.missing() < n+minSplit {
		return nil
	}
	return a.cutAt(p, p.pos.Load()+n)
}

func (a *assembly) cutAt(p *part, at int64) *part {
	at = (at + pageSize - 1) &^ (pageSize - 1)
	rest := newPart(a, at, p.end.Load())
	rest.waited.Store(p.waited.Load())
	p.end.Store(at)
	a.insert(rest)
	return rest
}
