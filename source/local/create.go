package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const opCreate = "source.Create"

var _ source.Creator = (*Dir)(nil)

// Create implements source.Creator. The directory is made where it is missing. The file gets
// its name when it is on the disk; a temporary one beside it, ".NAME.*", is left by a kill.
func (d *Dir) Create(ctx context.Context, f source.File, content io.ReadSeeker) error {
	if err := source.CheckPath(f.Path); err != nil {
		return err
	}
	name := d.on(f.Path)
	err := create(ctx, name, content)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s %s: %w", opCreate, name, fs.ErrExist)
	case ctx.Err() != nil:
		return lifecycle.FromContext(ctx, opCreate, name)
	}
	e := &lifecycle.Error{Op: opCreate, Kind: lifecycle.Unavailable, Target: name, Err: err, Hint: "check the disk"}
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Kind, e.Hint = lifecycle.AccessDenied, "let this user write into "+d.path
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Kind, e.Hint = lifecycle.NoSpace, "make room on the disk of "+d.path
	}
	return e
}

// create links a finished file to its name, which fails where there is one.
func create(ctx context.Context, name string, content io.Reader) (err error) {
	if err = os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // others may read what is published
		return err
	}
	if _, err = os.Lstat(name); err == nil {
		return fs.ErrExist
	}
	part, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(part.Name())) }()
	_, err = io.Copy(part, &ending{ctx, content})
	if err = errors.Join(err, part.Chmod(0o644), part.Sync(), part.Close()); err != nil {
		return err
	}
	return os.Link(part.Name(), name)
}

// An ending reader ends with its context.
type ending struct {
	ctx  context.Context //nolint:containedctx // a reader's calls take none
	from io.Reader
}

// Read implements io.Reader.
func (r *ending) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
