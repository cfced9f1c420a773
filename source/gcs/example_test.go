package gcs_test

import (
	"context"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/gcs"
)

func ExampleOpener() {
	var mux source.Mux
	mux.Handle("gs", gcs.Opener(nil))
	perModel := mux.WithEnv(lifecycle.EnvVars{"GOOGLE_APPLICATION_CREDENTIALS": "/secrets/reader.json"})

	src, err := perModel.Open(context.Background(), "gs://models/llama")
	fmt.Println(src, err)
	_, err = perModel.Open(context.Background(), "gs://models/llama?generation=7")
	fmt.Println(err)
	// Output:
	// gs://models/llama <nil>
	// source.Open gs://models/llama?[redacted]: invalid: it has a query (a URI of Google Cloud Storage has the form gs://BUCKET/PREFIX, without a query)
}
