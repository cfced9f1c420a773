package hub_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
)

func ExampleOpener() {
	var mux source.Mux
	mux.Handle("hf", hub.Opener(&hub.Options{IgnorePatterns: []string{"*.md"}}))
	src, err := mux.Open(context.Background(), "org/name@v1.0")
	fmt.Println(src, err)
	_, err = mux.Open(context.Background(), "hf://org/name/config.json")
	fmt.Println(errors.Is(err, lifecycle.Invalid))
	// Output:
	// hf://org/name@v1.0 <nil>
	// true
}

func ExampleForEngine() {
	var files []source.File
	for _, path := range []string{"config.json", "model.safetensors", "original/model.pth", "pytorch_model.bin", "training_args.bin"} {
		files = append(files, source.File{Path: path})
	}
	man, err := source.NewManifest("s3://bucket/model", "", files)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range man.Filter(hub.ForEngine(man, nil)).Files {
		fmt.Println(f.Path)
	}
	// Output:
	// config.json
	// model.safetensors
}
