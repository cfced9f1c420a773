// Package owed holds the body of an answer whose length is known.
//
//	return owed.New(ctx, res.Body, n, explain), nil
package owed

import (
	"context"
	"io"
)

// A Body counts what an answer still owes: an early end is an error, not the end.
type Body struct {
	ctx     context.Context //nolint:containedctx // the body lives as long as the request's context
	from    io.ReadCloser
	left    int64
	explain func(error) error
}

// New returns the body of an answer that owes n bytes, for a request with ctx. explain makes
// an error of the driver's of the one that ended it, io.ErrUnexpectedEOF among them.
func New(ctx context.Context, from io.ReadCloser, n int64, explain func(error) error) *Body {
	return &Body{ctx: ctx, from: from, left: n, explain: explain}
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := b.ctx.Err(); err != nil { // the transport notices later
		return 0, b.explain(err)
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == nil || b.left == 0:
		return n, nil
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, b.explain(err)
}

// Close implements io.Closer.
func (b *Body) Close() error { return b.from.Close() }
