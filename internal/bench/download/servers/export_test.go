//go:build linux

package servers

// These are for tests.
var (
	List = list
	Logs = (*Server).logs
)
