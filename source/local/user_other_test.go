//go:build !linux

package local_test

import (
	"os"
	"testing"
)

// asUser runs f as a user whom modes stop.
func asUser(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	f()
}
