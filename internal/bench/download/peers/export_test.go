//go:build linux

package peers

// ParseVersion is for tests.
var ParseVersion = parseVersion
