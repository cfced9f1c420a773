package download

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup/lifecycle"
)

// diskError gives an error of this machine's file system its kind.
func diskError(op, target string, err error) error {
	e := &lifecycle.Error{Op: op, Target: target, Err: err}
	switch {
	case isFull(err):
		e.Kind, e.Hint = lifecycle.NoSpace, "free space or choose another directory"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = lifecycle.AccessDenied, "make the directory writable for this user or choose another"
	default:
		e.Kind, e.Hint = lifecycle.Invalid, "remove what is in the way or choose another directory"
	}
	return e
}

const (
	hintSource = "the copy at the source is damaged: upload it anew"
	hintHere   = "remove it and fetch it again"
)

func corrupt(op, file, expected, got, hint string) error {
	return &lifecycle.Error{
		Op: op, Kind: lifecycle.Corrupt, Target: file, Hint: hint,
		Err: fmt.Errorf("expected %s, got %s", expected, got),
	}
}

func noSpace(dir string, needed, free int64, cause error) error {
	return &lifecycle.Error{
		Op: "download.Plan", Kind: lifecycle.NoSpace, Target: dir,
		Err:  &spaceError{needed: needed, free: free, dir: dir, cause: cause},
		Hint: fmt.Sprintf("free %s or choose another directory", formatBytes(max(needed-free, 1))),
	}
}

type spaceError struct {
	needed, free int64
	dir          string
	cause        error
}

func (e *spaceError) Error() string {
	return fmt.Sprintf("%s needed, %s free in %s", formatBytes(e.needed), formatBytes(e.free), e.dir)
}

func (e *spaceError) Unwrap() error { return e.cause }

// checkSpace fails with kind NoSpace when what is missing does not fit the file system.
// The old file and its replacement exist at the same time, so nothing is set off for it.
func checkSpace(dir string, findings []finding) error {
	existing, err := ancestor(dir)
	if err != nil {
		return diskError("download.Plan", dir, err)
	}
	free, block, err := freeSpace(existing)
	if err != nil {
		return diskError("download.Plan", dir, err)
	}
	var needed int64
	for _, f := range findings {
		if !f.complete {
			whole := (f.file.Size + block - 1) / block * block
			needed += max(whole-f.allocated, 0)
		}
	}
	if needed > free {
		return noSpace(dir, needed, free, nil)
	}
	return nil
}

// ancestor returns the deepest existing directory of dir's way.
func ancestor(dir string) (string, error) {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil || !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return at, err
		}
	}
}

func formatBytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	size, units := float64(n)/1000, "kMGTPE"
	for ; size >= 1000; units = units[1:] {
		size /= 1000
	}
	return fmt.Sprintf("%.1f %cB", size, units[0])
}
