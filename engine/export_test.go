package engine

import "context"

// EachLine is fuzzed.
var EachLine = eachLine

// FreeAddr is called often.
var FreeAddr = freeAddr

// TryFree tells whether freeAddr would give addr.
func TryFree(ctx context.Context, addr string) error { return tryListen(ctx, addr, &alone) }

// SecretsOf is what a process takes out of texts.
var SecretsOf = secretsOf

// PromisedPorts counts the ports that engines hold.
func PromisedPorts() int {
	promised.Lock()
	defer promised.Unlock()
	return len(promised.addrs)
}
