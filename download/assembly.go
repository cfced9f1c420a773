package download

import (
	"cmp"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spinup-llm/spinup/download/internal/crc"
	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/source"
)

const (
	// noteEvery is how many bytes of a part arrive between two lines of the journal, or
	// fewer while a connection is young: a kill costs at most so many for each connection,
	// and at most about half of what it had brought.
	noteEvery = mib
	// journalAbove is the size of a file below which it is simply fetched again.
	journalAbove = 2 * mib
)

// An assembly is one file on its way: a partial file that workers write to at the offsets
// of their parts. Each part belongs to one worker at a time; what follows mu is guarded by it
// while more than one worker is at the file.
type assembly struct {
	place     *place
	file      source.File
	kind      crc.Kind                // of the parts' sums
	ordered   atomic.Pointer[ordered] // nil when the parts' sums combine to the digest, or there is none
	left      atomic.Int32            // parts that have not landed
	refetched bool                    // touched only by the worker that lands the last part
	arrival   *Arrival                // nil when nobody reads what arrives
	bell      bell                    // rung when bytes have been written, or withdrawn

	// turn is held while the partial file is written to: the kernel lets one do so at a time, and
	// those who wait for that there burn CPU time.
	turn sync.Mutex

	mu      sync.Mutex
	parts   []*part  // sorted, and covering the file
	out     *os.File // nil until opened
	journal *os.File // nil when there is none
	needed  int64    // bytes of disk to take, before out is opened and after it is published
	kept    []journal.Segment
	told    telling
}

// newAssembly takes over what was found of a file; expect adds the rest.
func newAssembly(at *place, f finding) *assembly {
	a := &assembly{place: at, file: f.file, kind: kindOf(f.file), kept: f.have, needed: f.needed()}
	a.told.digest, a.told.done = f.file.Digest, !late(f.file)
	if f.file.Digest.Algorithm != a.kind.Name() {
		a.ordered.Store(newOrdered(a, f.file.Digest))
	}
	for _, s := range f.have {
		p := newPart(a, s.Off, s.End())
		p.sum = s.Sum
		p.pos.Store(s.End())
		a.parts = append(a.parts, p)
	}
	return a
}

// expect adds parts for ranges and returns them.
func (a *assembly) expect(ranges []Range) []*part {
	added := make([]*part, 0, len(ranges))
	for _, r := range ranges {
		added = append(added, newPart(a, r.Off, r.Off+r.Len))
	}
	a.insert(added...)
	return added
}

// insert adds parts; mu is held, or the assembly not yet shared.
func (a *assembly) insert(added ...*part) {
	a.parts = append(a.parts, added...)
	slices.SortStableFunc(a.parts, func(x, y *part) int { return cmp.Compare(x.off, y.off) })
	a.left.Add(int32(len(added))) //nolint:gosec // the parts of a file fit an int32
}

// space returns the bytes of disk that the file is still to take.
func (a *assembly) space() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out == nil {
		return a.needed
	}
	info, err := a.out.Stat()
	if err != nil {
		return 0
	}
	return finding{file: a.file, allocated: allocated(info)}.needed()
}

// open makes the partial file and its journal ready; the first part to start does it.
func (a *assembly) open() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.out != nil {
		return nil
	}
	if err := a.startJournal(a.kept); err != nil {
		return err
	}
	flags := os.O_RDWR | os.O_CREATE
	if len(a.kept) == 0 {
		flags |= os.O_TRUNC
	}
	var err error
	a.out, err = a.place.parts.OpenFile(partialName(a.file.Path), flags, fileMode)
	return err
}

// write puts b at the part's position and hands it to the sums.
func (a *assembly) write(p *part, b []byte) error {
	at := p.pos.Load()
	a.turn.Lock()
	_, err := a.out.WriteAt(b, at)
	a.turn.Unlock()
	if err != nil {
		return err
	}
	p.sum = a.kind.Update(p.sum, b)
	a.ordered.Load().feed(at, b)
	p.pos.Store(at + int64(len(b)))
	a.bell.ring()
	if fresh := at + int64(len(b)) - p.noted; fresh >= min(noteEvery, max(at-p.began, 1)) {
		return a.note(p)
	}
	return nil
}

// sum returns the digest of the complete file in the algorithm of d, or nil when that is
// none that we know.
func (a *assembly) sum(d source.Digest, buf []byte) ([]byte, error) {
	if d.Algorithm != a.kind.Name() {
		return a.ordered.Load().finish(buf)
	}
	var sum uint64
	for _, p := range a.parts {
		sum = a.kind.Combine(sum, p.sum, p.end.Load()-p.off)
	}
	return a.kind.Bytes(sum), nil
}

// restart throws away what has arrived, all parts having landed, and returns the parts
// that bring it again.
func (a *assembly) restart(partSize int64) ([]*part, error) {
	a.refetched = true
	defer a.arrival.withdraw(a)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.startJournal(nil); err != nil {
		return nil, err
	}
	if err := a.out.Truncate(0); err != nil {
		return nil, err
	}
	a.parts = nil
	a.left.Store(0) // a question that was repeated has counted more than once
	a.ordered.Load().restart()
	return a.expect(finding{file: a.file}.ranges(partSize)), nil
}

// publish gives the file, complete and verified as f, its final name. The record of that comes
// first: it names a time of modification, so it means nothing before the file is there.
func (a *assembly) publish(f source.File, note func(journal.Verified) error) error {
	if err := flush(a.out); err != nil {
		return err
	}
	info, err := a.out.Stat()
	if err != nil {
		return err
	}
	if err := note(record(f, info)); err != nil {
		return err
	}
	if err := a.place.publish(a.file.Path); err != nil {
		return err
	}
	a.retire()
	if !a.journals() {
		return nil
	}
	return remove(a.place.parts, journalName(a.file.Path))
}

// discard removes the partial file and its journal.
func (a *assembly) discard() error {
	a.retire()
	if err := remove(a.place.parts, partialName(a.file.Path)); err != nil {
		return err
	}
	return remove(a.place.parts, journalName(a.file.Path))
}

// retire is close for a file that needs no more space.
func (a *assembly) retire() {
	a.mu.Lock()
	a.needed = 0
	a.mu.Unlock()
	a.close()
}

func (a *assembly) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closeJournal()
	if a.out != nil {
		_ = a.out.Close() // it was synced where that matters
		a.out = nil
	}
}
