package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/web"
)

func ExampleOpener() {
	srv := httptest.NewServer(http.FileServerFS(fstest.MapFS{
		"llama/config.json":       {Data: []byte("{}")},
		"llama/model.safetensors": {Data: []byte("weights")},
	}))
	defer srv.Close()

	var mux source.Mux
	mux.Handle("http", web.Opener(nil))
	src, err := mux.Open(context.Background(), srv.URL+"/llama/")
	if err != nil {
		fmt.Println(err)
		return
	}
	man, err := src.Resolve(context.Background())
	for _, f := range man.Files {
		fmt.Println(f.Path, f.Size)
	}
	fmt.Println(err)
	// Output:
	// config.json 2
	// model.safetensors 7
	// <nil>
}
