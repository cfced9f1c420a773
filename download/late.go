package download

import (
	"context"
	"io"
	"strings"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/source"
)

// late reports whether the source tells the digest of f when it is asked.
func late(f source.File) bool { return f.Digest != (source.Digest{}) && !f.Digest.Known() }

// A telling is what a source says of the digest of a file, with the bytes or when it is asked.
// It is guarded by the assembly.
type telling struct {
	digest source.Digest // that the bytes must have; zero while it is not known, or when there is none
	done   bool          // no more will be said
	asked  chan struct{} // closed when the answer is there; nil while nobody has asked
}

// hear takes note of what the source says. Where the parts' sums do not combine to that digest,
// it is made from the first byte on.
func (a *assembly) hear(d source.Digest) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.told.done {
		return
	}
	a.told.digest, a.told.done = d, true
	switch {
	case d.Algorithm == a.kind.Name():
		a.ordered.Store(nil)
	case d.Algorithm != a.file.Digest.Algorithm:
		a.ordered.Store(newOrdered(a, d))
	}
}

// hearBody takes note of the digest that a body of the whole file came with.
func (a *assembly) hearBody(body io.Reader) {
	if b, ok := body.(source.Digested); ok && b.Digest().Known() {
		a.hear(b.Digest())
	}
}

// ask has the source tell the digest of a file that comes in ranges, while they come.
func (r *run) ask(ctx context.Context, a *assembly) {
	src, ok := r.src.(source.Digester)
	a.mu.Lock()
	defer a.mu.Unlock()
	if !ok || a.told.done || a.told.asked != nil {
		return
	}
	asked := make(chan struct{})
	a.told.asked = asked
	r.group.Go(func() error {
		defer close(asked)
		if d, err := r.question(ctx, src, a.file); err == nil {
			a.hear(d)
		}
		return nil // who needs it asks again, and says what is wrong
	})
}

// question asks for a digest when the pause is over that the service may have asked for, and holds
// all back for that which it asks for now.
func (r *run) question(ctx context.Context, src source.Digester, f source.File) (source.Digest, error) {
	if err := r.gate.wait(ctx); err != nil {
		return source.Digest{}, err
	}
	d, err := src.Digest(ctx, f)
	if pause := source.RetryAfter(err); pause <= maxRetryAfter {
		r.gate.hold(pause)
	}
	return d, err
}

// settle returns the file, all of whose bytes are there, with the digest that they must have:
// the listed one, or where the source tells it later, what it has said or says now.
func (r *run) settle(ctx context.Context, a *assembly) (source.File, error) {
	told := a.tell()
	if told.asked != nil {
		select {
		case <-told.asked:
			told = a.tell()
		case <-ctx.Done():
			return a.file, ctx.Err()
		}
	}
	if src, ok := r.src.(source.Digester); ok && !told.done {
		d, err := r.question(ctx, src, a.file)
		if err != nil {
			return a.file, fromSource(err)
		}
		a.hear(d)
		told.digest = d
	}
	f := a.file
	f.Digest = told.digest
	return f, nil
}

func (a *assembly) tell() telling {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.told
}

// recall gives f the digest that it was published with, where its source tells it late.
func recall(records map[string]journal.Verified, f source.File) source.File {
	algorithm, value, ok := strings.Cut(records[f.Path].Digest, ":")
	if was := records[f.Path]; ok && !f.Digest.Known() && was.Version == f.Version && f.Version != "" {
		f.Digest = source.Digest{Algorithm: algorithm, Hex: value}
	}
	return f
}
