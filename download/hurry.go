package download

import "slices"

// hurry has what a file lacks of [off, end) fetched before what nobody waits for, and after
// what was hurried before. Parts that begin long before off or end long after end are cut
// there, and so is one at work that will not come to off soon.
func (q *queue) hurry(a *assembly, off, end int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	off -= off % pageSize
	for p := range q.busy {
		if p.asm != a {
			continue
		}
		if rest := a.cutFrom(p, off); rest != nil {
			q.add([]*part{rest})
			q.changed.Broadcast()
		}
		if p.end.Load() > off && p.pos.Load() < end {
			p.waited.Store(true) // should it be given up
		}
	}
	var wanted, others []*part
	for _, p := range q.parts[q.ahead:] {
		if p.asm != a || p.end.Load() <= off || p.pos.Load() >= end {
			others = append(others, p)
			continue
		}
		if lead := off - p.pos.Load(); lead >= minSplit {
			if rest := a.cut(p, lead); rest != nil {
				others = append(others, p)
				q.queued[a]++
				p = rest
			}
		}
		if rest := a.cut(p, end-p.pos.Load()); rest != nil {
			others = append(others, rest)
			q.queued[a]++
		}
		p.waited.Store(true)
		wanted = append(wanted, p)
	}
	q.parts = slices.Concat(q.parts[:q.ahead], wanted, others)
	q.ahead += len(wanted)
	if len(wanted) > 0 {
		q.changed.Broadcast() // to those that had to wait with them
	}
}

// cutFrom cuts off what p, at which a worker is, has from off on, and returns it; nil when the
// worker comes there soon.
func (a *assembly) cutFrom(p *part, off int64) *part {
	a.mu.Lock()
	defer a.mu.Unlock()
	if off-p.claimed < minPart || p.end.Load()-off < minSplit {
		return nil
	}
	return a.cutAt(p, off)
}
