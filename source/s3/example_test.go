package s3_test

import (
	"context"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
)

func ExampleOpener() {
	var mux source.Mux
	mux.Handle("s3", s3.Opener(nil))
	perModel := mux.WithEnv(lifecycle.EnvVars{"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_REGION": "eu-west-1"})

	src, err := perModel.Open(context.Background(), "s3://anonymous@models/llama")
	fmt.Println(src, err)
	_, err = perModel.Open(context.Background(), "s3://models/llama?versionId=7")
	fmt.Println(err)
	// Output:
	// s3://anonymous@models/llama <nil>
	// source.Open s3://models/llama?[redacted]: invalid: it has a query (an S3 URI has the form s3://BUCKET/PREFIX, without a query)
}
