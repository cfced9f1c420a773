package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

var errChanged = errors.New("the file has changed since it was listed")

// Open implements source.Source.
func (d *Dir) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	name := d.on(f.Path)
	if err = lifecycle.FromContext(ctx, opRead, name); err != nil {
		return nil, err
	}
	if err = unchanged(name, f); err != nil {
		return nil, err
	}
	file, err := os.Open(name) //nolint:gosec // CheckPath has seen it
	if err != nil {
		return nil, fault(opRead, name, err)
	}
	return &body{ctx: ctx, file: file, name: name, r: io.NewSectionReader(file, off, n), left: n}, nil
}

// unchanged looks before the file is opened: to open what has become a pipe would block.
func unchanged(name string, f source.File) error {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return fault(opRead, name, err)
	case !info.Mode().IsRegular() || (f.Version != "" && f.Version != version(info)) || info.Size() != f.Size:
		return corrupt(name)
	}
	return nil
}

func corrupt(name string) error {
	return &lifecycle.Error{
		Op: opRead, Kind: lifecycle.Corrupt, Target: name, Err: errChanged, Hint: "start again when nobody writes to the folder",
	}
}

// fault makes an error of one of the operating system.
func fault(op, name string, err error) error {
	e := &lifecycle.Error{Op: op, Kind: lifecycle.Unavailable, Target: name, Err: err, Hint: "check the disk"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind, e.Hint = lifecycle.MissingFile, "it was there when the folder was listed: restore it, or start again"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = lifecycle.AccessDenied, "let this user read it: chmod, chown, or another user"
	}
	return e
}

// A body ends with its context, and tells a file that became shorter from one that ends.
type body struct {
	ctx  context.Context //nolint:containedctx // Open promises that the body ends with it
	file *os.File
	name string
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if err := lifecycle.FromContext(b.ctx, opRead, b.name); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	switch {
	case err == nil || (errors.Is(err, io.EOF) && b.left == 0):
		return n, err
	case errors.Is(err, io.EOF):
		return n, corrupt(b.name)
	default:
		return n, fault(opRead, b.name, err)
	}
}

// Close implements io.Closer.
func (b *body) Close() error { return b.file.Close() }
