package download

import (
	"hash"
	"sync"
	"sync/atomic"

	"github.com/spinup-llm/spinup/source"
)

// ordered hashes a file from its beginning while parts arrive in any order. The worker
// whose part is next hands its bytes over as they pass; what other workers wrote is read
// back, still in memory, once the front has come to it. A nil ordered does nothing.
type ordered struct {
	asm   *assembly
	front atomic.Int64 // all before is hashed

	mu   sync.Mutex // guards what follows and changes of front
	hash hash.Hash
	next int // index of the part that front is in
}

// newOrdered returns nil when d is no digest that is known.
func newOrdered(a *assembly, d source.Digest) *ordered {
	h := d.NewHash(a.file.Size)
	if h == nil {
		return nil
	}
	return &ordered{asm: a, hash: h}
}

// feed hashes b, which is about to be part of the file at off, if that is the front.
func (o *ordered) feed(off int64, b []byte) {
	if o == nil || o.front.Load() != off || !o.mu.TryLock() {
		return
	}
	defer o.mu.Unlock()
	if o.front.Load() == off {
		o.add(b)
	}
}

// catchUp reads back and hashes what lies before the next gap, unless another worker is
// at it. It uses buf.
func (o *ordered) catchUp(buf []byte) error {
	for o != nil && o.mu.TryLock() {
		moved, err := o.advance(buf)
		o.mu.Unlock()
		if err != nil || !moved {
			return err
		}
	}
	return nil
}

// chase is catchUp for a worker in whose part the front is, but behind what it wrote.
func (o *ordered) chase(p *part, buf []byte) error {
	if o == nil {
		return nil
	}
	if front := o.front.Load(); front < p.off || front >= p.pos.Load() {
		return nil
	}
	return o.catchUp(buf)
}

// finish hashes what is left of the complete file and returns its digest.
func (o *ordered) finish(buf []byte) ([]byte, error) {
	if o == nil {
		return nil, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.advance(buf); err != nil {
		return nil, err
	}
	return o.hash.Sum(nil), nil
}

// withdraw undoes a part whose bytes were wrong.
func (o *ordered) withdraw(p *part) {
	if o == nil {
		p.pos.Store(p.off)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.front.Load() > p.off {
		o.reset()
	}
	p.pos.Store(p.off)
}

// restart begins again at the first byte, after the parts have been exchanged.
func (o *ordered) restart() {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reset()
}

func (o *ordered) reset() {
	o.hash.Reset()
	o.front.Store(0)
	o.next = 0
}

func (o *ordered) add(b []byte) {
	_, _ = o.hash.Write(b) // a hash never fails
	o.front.Add(int64(len(b)))
}

func (o *ordered) advance(buf []byte) (moved bool, err error) {
	for {
		ready := o.ready()
		if ready == 0 {
			return moved, nil
		}
		b := buf[:min(int64(len(buf)), ready)]
		if _, err := o.asm.out.ReadAt(b, o.front.Load()); err != nil {
			return moved, err
		}
		o.add(b)
		moved = true
	}
}

// ready returns how many bytes have been written in one piece from the front on.
func (o *ordered) ready() int64 {
	o.asm.mu.Lock() // the part that the front is in may be split
	defer o.asm.mu.Unlock()
	parts, front := o.asm.parts, o.front.Load()
	for o.next < len(parts) && parts[o.next].end.Load() <= front {
		o.next++
	}
	if o.next == len(parts) {
		return 0
	}
	return max(parts[o.next].pos.Load()-front, 0)
}
