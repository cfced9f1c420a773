package download

import (
	"runtime"
	"slices"
	"sync"
)

// A queue hands parts to workers until none is left and none can come back. It bounds the
// parts at work. Towards the end it cuts them, so that the workers end together, and splits
// those at work that take longer than the others.
type queue struct {
	mu      sync.Mutex
	changed sync.Cond
	parts   []*part
	queued  map[*assembly]int // how many of parts are of each file
	ahead   int               // so many of the first parts are waited for
	left    int64             // bytes that the parts miss
	busy    map[*part]bool    // handed out; true is that it ends
	ending  int               // of busy
	allowed int
	outlook outlook
	stopped bool
}

func newQueue(parts []*part, allowed int) *queue {
	q := &queue{queued: map[*assembly]int{}, busy: map[*part]bool{}, allowed: allowed, outlook: outlook{worth: minPart}}
	q.changed.L = &q.mu
	q.add(parts)
	return q
}

// next returns a part, for which done must be called, or false when there is nothing more
// to do. It waits while enough are at work, or while there is nothing to do but one of those
// may bring more.
func (q *queue) next() (*part, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.stopped && len(q.parts)+len(q.busy) > 0 {
		if p := q.choose(); p != nil {
			q.busy[p] = false
			return p, true
		}
		q.changed.Wait()
	}
	return nil, false
}

func (q *queue) choose() *part {
	if len(q.busy)-q.ending >= q.allowed {
		return nil
	}
	if len(q.parts) == 0 {
		return q.split()
	}
	i := q.first()
	if i < 0 {
		return nil
	}
	p := q.parts[i]
	if rest := p.asm.cut(p, max(q.left/int64(2*q.allowed), q.outlook.worth)); rest != nil {
		q.parts[i] = rest
	} else {
		q.remove(i)
	}
	q.left -= p.missing()
	return p
}

func (q *queue) remove(i int) {
	of := q.parts[i].asm
	if q.queued[of]--; q.queued[of] == 0 {
		delete(q.queued, of)
	}
	if i == 0 { // of perhaps a hundred thousand
		q.parts, q.ahead = q.parts[1:], max(q.ahead-1, 0)
	} else {
		q.parts = slices.Delete(q.parts, i, i+1)
	}
}

// first returns the index of the part that is to be fetched next, or -1 when all have to wait:
// while the cores are busy, a file whose bytes are hashed in order is fetched in one range,
// as those of another would have to be read back.
func (q *queue) first() int {
	if !q.outlook.crowded || q.ahead > 0 {
		return 0
	}
	files := map[*assembly]bool{}
	for p, ends := range q.busy {
		if !ends && p.asm.ordered.Load() != nil {
			files[p.asm] = true
		}
	}
	for other := range q.queued {
		if !files[other] { // it is among the first, as a rule: files come in turns
			return slices.IndexFunc(q.parts, func(p *part) bool { return !files[p.asm] })
		}
	}
	if len(files) < runtime.GOMAXPROCS(0) {
		return 0
	}
	return -1
}

// add takes in parts. Those that are waited for come after others of that kind.
func (q *queue) add(parts []*part) {
	for _, p := range parts {
		q.left += p.missing()
		q.queued[p.asm]++
		if p.waited.Load() {
			q.parts = slices.Insert(q.parts, q.ahead, p)
			q.ahead++
		} else {
			q.parts = append(q.parts, p)
		}
	}
}

// split takes the second half of the part that will take longest; nil when that is not
// worth a request, and the bytes on their way over a connection that is given up in the
// middle of a body: while the link is busy with others, that would only take from them.
func (q *queue) split() *part {
	if !q.outlook.slack {
		return nil
	}
	var longest *part
	for p := range q.busy {
		if p.splits() && (longest == nil || p.remaining() > longest.remaining()) {
			longest = p
		}
	}
	if longest == nil {
		return nil
	}
	return longest.asm.split(longest)
}

// ends has the next part begin beside p, which is to be complete when the first byte of that comes:
// a link has nothing to do between the end of a part and the answer to the next question.
func (q *queue) ends(p *part) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if ends, busy := q.busy[p]; busy && !ends {
		q.busy[p] = true
		q.ending++
		q.changed.Signal()
	}
}

// done ends the work on p, which made more parts necessary. One that is given back keeps its place,
// as the bytes after it may wait for it to be hashed.
func (q *queue) done(p *part, more []*part) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy[p] {
		q.ending--
	}
	delete(q.busy, p)
	if len(more) == 1 && more[0] == p && !p.waited.Load() {
		q.left += p.missing()
		q.queued[p.asm]++
		q.parts = slices.Insert(q.parts, q.ahead, p)
	} else {
		q.add(more)
	}
	if len(more) > 0 || q.outlook.crowded || len(q.parts)+len(q.busy) == 0 {
		q.changed.Broadcast()
	} else {
		q.changed.Signal()
	}
}

// allow sets how many parts may be handed out, and returns how many are. It has workers look
// again for what to split.
func (q *queue) allow(n int) (busy int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.allowed = n
	if len(q.busy)-q.ending < n {
		q.changed.Broadcast()
	}
	return len(q.busy)
}

// learn takes note of what is to be expected of the link and of the machine.
func (q *queue) learn(o outlook) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.outlook = o
}

// stop makes next return false to all.
func (q *queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.changed.Broadcast()
}
