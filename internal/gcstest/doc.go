// Package gcstest gives tests a Google Cloud Storage on loopback: a server that others wrote
// ([Start], fake-gcs-server in memory, with SPINUP_TEST=all), and a small fake of our own
// ([NewFake], always) for what that one does not show: tokens, refusals, requester pays,
// cut bodies, hostile names.
//
//	srv := gcstest.Start(t)
//	srv.Put(t, "models", "llama/config.json", []byte("{}"))
//	mux.WithEnv(srv.Env()).Open(ctx, "gs://models/llama")
package gcstest
