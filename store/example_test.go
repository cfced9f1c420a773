package store_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/spinup-llm/spinup/store"
)

// Any S3 client reads a model while it arrives in the cache.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err = os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"model_type": "llama"}`), 0o600); err != nil {
		log.Fatal(err)
	}
	var mux source.Mux
	mux.Handle("file", local.Opener())
	src, err := mux.Open(ctx, dir)
	if err != nil {
		log.Fatal(err)
	}
	man, err := src.Resolve(ctx)
	if err != nil {
		log.Fatal(err)
	}
	arrival, err := new(download.Cache).Stream(ctx, nil, src, man, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer arrival.Close()

	s, err := store.Listen(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	files := arrival.Reader()
	uri := s.Serve(man, files)

	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint.String()), UsePathStyle: true, Region: "us-east-1",
		HTTPClient:  &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
	object, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &uri.Host, Key: aws.String(uri.Path[1:] + "/config.json")})
	if err != nil {
		log.Fatal(err)
	}
	defer object.Body.Close()
	body, err := io.ReadAll(object.Body)
	fmt.Println(string(body), err)
	fmt.Println(files.Verified(ctx))
	// Output:
	// {"model_type": "llama"} <nil>
	// <nil>
}
