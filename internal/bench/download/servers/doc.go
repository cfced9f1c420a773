//go:build linux

// Package servers starts what the benchmark downloads from, each in a process of its own:
// nginx as an anonymous bucket (also with TLS), versitygw and MinIO as real ones, and a hub
// whose large files nginx sends. Between them and a client stands a [Link]: none, one that
// counts, or a shaped one in a network namespace.
package servers
