//go:build linux

// Package peers knows the downloaders that are compared: where they are, what they are
// called with, and where they leave the files.
//
//	found, missing := peers.Find(ctx, peers.All(ours), folder)
//	argv, env, err := found[0].Command(peers.Job{…})
package peers
