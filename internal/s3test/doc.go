// Package s3test gives tests an S3 service on loopback: real servers ([Start], versitygw
// over a folder of the test, and [StartMinio], with SPINUP_TEST=all), and a small fake
// ([NewFake], always) for what they cannot show: redirects to another region, expired tokens,
// cut bodies, hostile keys.
//
//	srv := s3test.Start(t)
//	srv.Put(t, "models", "llama/config.json", []byte("{}"))
//	srv.Public(t, "models")
//	mux.WithEnv(srv.Env()).Open(ctx, "s3://models/llama")
package s3test
