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
// Where files can be neither linked nor renamed without replacing (some FUSE mounts), an empty
// file has the name for a moment.
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
	defer func() {
		if left := os.Remove(part.Name()); !errors.Is(left, fs.ErrNotExist) {
			err = errors.Join(err, left)
		}
	}()
	_, err = io.Copy(part, &ending{ctx, content})
	if err = errors.Join(err, part.Chmod(0o644), part.Sync(), part.Close()); err != nil {
		return err
	}
	err = os.Link(part.Name(), name)
	if errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) {
		return renameNew(part.Name(), name) // a file system without links: SMB, exFAT, gcsfuse
	}
	return err
}

// claim renames like renameNew where the system has no such call: an empty file holds the
// name for a moment.
func claim(from, to string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // others may read what is published
	if err != nil {
		return err
	}
	if err = errors.Join(f.Close(), os.Rename(from, to)); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
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
