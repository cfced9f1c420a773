//go:build linux

// Package proxy forwards TCP connections, counts what passes, and makes a link slow on
// purpose: each connection has a rate of its own, and what a client says arrives late.
//
//	p := proxy.Proxy{Delay: 25 * time.Millisecond, Rate: 50e6}
//	err := p.Serve(ctx, listener, "unix:/run/server.sock")
//
// Bytes to the client are moved by the kernel (splice) and paced by it
// (SO_MAX_PACING_RATE), so that the proxy takes little of the machine that is measured.
package proxy
