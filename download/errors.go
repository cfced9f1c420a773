package download

import (
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
)

// diskError gives an error of this machine's file system its kind.
func diskError(op, target string, err error) error {
	e := &lifecycle.Error{Op: op, Target: target, Err: err}
	switch {
	case isFull(err):
		e.Kind, e.Hint = lifecycle.NoSpace, "free space or choose another directory"
	case isReadOnly(err):
		e.Kind, e.Hint = lifecycle.AccessDenied, "make the directory writable for this user or choose another"
	case lacksLocks(err):
		e.Kind, e.Hint = lifecycle.Invalid, "choose a directory whose file system has what is missing, as locks (flock)"
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

func noSpace(dir string, e *spaceError) error {
	e.dir = dir
	return &lifecycle.Error{
		Op: "download.Plan", Kind: lifecycle.NoSpace, Target: dir, Err: e,
		Hint: fmt.Sprintf("free %s or choose another directory", formatBytes(max(e.needed+e.others-e.free, 1))),
	}
}

type spaceError struct {
	needed, free int64
	others       int64 // set aside of what is free
	dir          string
	cause        error
}

// Error implements error.
func (e *spaceError) Error() string {
	text := fmt.Sprintf("%s needed, %s free in %s", formatBytes(e.needed), formatBytes(e.free), e.dir)
	if e.others > 0 {
		text += ", of which other downloads need " + formatBytes(e.others)
	}
	return text
}

// Unwrap returns what the file system said, if it did.
func (e *spaceError) Unwrap() error { return e.cause }

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
