package oci_test

import (
	"context"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/oci"
)

func ExampleOpener() {
	var mux source.Mux
	mux.Handle("oci", oci.Opener(&oci.Options{PlainHTTP: []string{"registry.cluster:5000"}}))
	perModel := mux.WithEnv(lifecycle.EnvVars{"DOCKER_AUTH_CONFIG": `{"auths":{"ghcr.io":{"auth":"cmVhZGVyOnNlY3JldA=="}}}`})

	src, err := perModel.Open(context.Background(), "oci://ghcr.io/org/llama:v1")
	fmt.Println(src, err)
	_, err = perModel.Open(context.Background(), "oci://ghcr.io/org/llama@v1")
	fmt.Println(err)
	// Output:
	// oci://ghcr.io/org/llama:v1 <nil>
	// source.Open oci://ghcr.io/org/llama@v1: invalid: its repository, tag or digest is malformed (a URI of a registry has the form oci://REGISTRY/REPOSITORY:TAG or oci://REGISTRY/REPOSITORY@sha256:DIGEST, in lower-case letters but for the tag)
}
