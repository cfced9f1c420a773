package download

import (
	"context"
	"io"
	"strings"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/source"
)

// hear takes note of the digest that a body of the whole file came with.
func (a *assembly) hear(body io.Reader) {
	if b, ok := body.(source.Digested); ok && b.Digest().Known() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.told = b.Digest()
	}
}

func (a *assembly) heard() source.Digest {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.told
}

// settle returns the file with the digest that its bytes must have: the listed one, or where
// the source tells it later, what it said with the bytes or says now.
func (r *run) settle(ctx context.Context, a *assembly) (f source.File, err error) {
	f = a.file
	late := f.Digest != (source.Digest{}) && !f.Digest.Known()
	if !late {
		return f, nil
	}
	if f.Digest = a.heard(); f.Digest.Known() {
		return f, nil
	}
	if src, ok := r.src.(source.Digester); ok {
		if f.Digest, err = src.Digest(ctx, a.file); err != nil {
			return f, fromSource(err)
		}
	}
	return f, nil
}

// check compares the bytes of a with f's digest; sum is of the algorithm that was listed.
// It returns what they have instead, or nil.
func (a *assembly) check(ctx context.Context, f source.File, sum []byte) (got []byte, err error) {
	if !f.Digest.Known() || sum == nil {
		return nil, nil
	}
	if f.Digest.Algorithm != a.file.Digest.Algorithm {
		if sum, err = sumOf(ctx, io.NewSectionReader(a.out, 0, f.Size), f); err != nil {
			return nil, err
		}
	}
	if sum == nil || f.Digest.Equal(sum) {
		return nil, nil
	}
	return sum, nil
}

// recall gives f the digest that it was published with, where its source tells it late.
func recall(records map[string]journal.Verified, f source.File) source.File {
	algorithm, value, ok := strings.Cut(records[f.Path].Digest, ":")
	if was := records[f.Path]; ok && !f.Digest.Known() && was.Version == f.Version && f.Version != "" {
		f.Digest = source.Digest{Algorithm: algorithm, Hex: value}
	}
	return f
}
