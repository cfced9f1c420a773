//go:build !linux

package testenv

import "testing"

// ReadOnly makes dir one that nobody can write to, until undo.
func ReadOnly(tb testing.TB, dir string) (undo func()) {
	tb.Helper()
	return readOnlyByMode(tb, dir)
}
