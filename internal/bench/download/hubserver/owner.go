//go:build linux

package hubserver

import (
	"slices"
	"testing"
)

// owner is to the fixture what a test is: it says when the end has come. What the fixture
// does not ask of it is nil.
type owner struct {
	testing.TB
	dir  string
	ends []func()
}

// Helper implements testing.TB.
func (o *owner) Helper() {}

// Cleanup implements testing.TB.
func (o *owner) Cleanup(f func()) { o.ends = append(o.ends, f) }

// TempDir implements testing.TB; the fixture only names it to clients.
func (o *owner) TempDir() string { return o.dir }

func (o *owner) end() {
	for _, f := range slices.Backward(o.ends) {
		f()
	}
}
