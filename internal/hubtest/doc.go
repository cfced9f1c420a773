// Package hubtest is a Hugging Face Hub for tests: revisions, the tree with pages, resolve
// with its redirects, and a CDN on a second origin whose links are signed and expire. It has
// tokens, gated, private, disabled and renamed repositories, and faults on demand. The
// Python client of the hub downloads from it, which is tested. It names large files by their Xet
// hash too, but has no server for Xet: a client has to take the plain way.
//
//	hub := hubtest.New(t)
//	hub.Put("acme/tiny", "config.json", []byte("{}"))
//	src, err := mux.WithEnv(hub.Env()).Open(ctx, "hf://acme/tiny")
package hubtest
