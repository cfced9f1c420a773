package engine

import (
	"context"
	"io"
)

// EachLine is fuzzed.
var EachLine = eachLine

// FreeAddr is called often.
var FreeAddr = freeAddr

// TryFree tells whether freeAddr would give addr.
func TryFree(ctx context.Context, addr string) error { return tryListen(ctx, addr, &alone) }

// SecretsOf is what a process takes out of texts.
var SecretsOf = secretsOf

// Follow returns a reader of r, and whether it is behind.
func Follow(r io.ReadCloser) (f io.Reader, behind func() bool) {
	follow := &follower{ReadCloser: r}
	return follow, follow.behind
}

// PromisedPorts counts the ports that engines hold.
func PromisedPorts() int {
	promised.Lock()
	defer promised.Unlock()
	return len(promised.addrs)
}
