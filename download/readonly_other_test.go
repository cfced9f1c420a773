//go:build !linux

package download_test

import "testing"

func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	return readOnlyByMode(t, dir)
}
