//go:build linux

package servers

// List is for tests.
var List = list
