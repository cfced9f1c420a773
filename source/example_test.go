package source_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

func ExampleManifest_Filter() {
	man, _ := source.NewManifest("s3://models/llama", "", []source.File{
		{Path: "model.safetensors", Size: 1000},
		{Path: "config.json", Size: 20},
	})
	small := man.Filter(func(f source.File) bool { return !strings.HasSuffix(f.Path, ".safetensors") })
	fmt.Println(man.Size(), small.Size(), small.Files[0].Path)
	// Output: 1020 20 config.json
}

func ExampleNewManifest() {
	_, err := source.NewManifest("s3://models/llama", "", []source.File{{Path: "../../etc/passwd"}})
	fmt.Println(err)
	// Output: source.Resolve s3://models/llama: "../../etc/passwd": invalid: a file that cannot be stored: its name leaves the repository (rename or remove that file)
}

func ExampleCheckModel() {
	ctx := context.Background()
	src := memory{"config.json": "{}", "model-00001-of-00002.safetensors": "version https://git-lfs.github.com/spec/v1\n"}
	man, _ := src.Resolve(ctx)
	err := source.CheckModel(ctx, src, man, nil)
	for e := range lifecycle.Errors(err) {
		fmt.Println(e.Kind, e.Target, "–", e.Err)
	}
	fmt.Println(errors.Is(err, lifecycle.MissingFile))
	// Output:
	// missing file mem://model/tokenizer.json – there is no tokenizer
	// missing file mem://model/model-00002-of-00002.safetensors – one of 2 shards: the name of model-00001-of-00002.safetensors says so
	// corrupt mem://model/model-00001-of-00002.safetensors – it is a Git LFS pointer, not the file itself
	// true
}
