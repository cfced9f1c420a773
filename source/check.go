package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"golang.org/x/sync/errgroup"
)

const checkOp = "source.CheckModel"

// layout is what a model's folder is expected to look like.
const layout = "a model is a folder with config.json, a tokenizer (tokenizer.json or tokenizer.model) and weights (*.safetensors), as in the Hugging Face layout"

// checkReaders bounds the headers that are read at the same time.
const checkReaders = 16

// CheckOptions leave out what an engine does not need; nil means that all is needed.
type CheckOptions struct {
	NoTokenizer bool // the tokenizer comes from elsewhere
	NoWeights   bool // weights are made up or come from elsewhere

	// Safetensors refuses weights of another format, which the engine cannot read.
	Safetensors bool
	// Mistral means that the weights are consolidated*.safetensors, whatever else there is.
	Mistral bool
	// Ranks are how the weights were saved by rank; nil means that they were not.
	Ranks *Ranks
	_     struct{}
}

// CheckModel reports, joined, each thing that a loadable model lacks: config.json, a
// tokenizer, weights, every shard that an index names (MissingFile), and what is there
// but cannot be what it is named (Corrupt). Of safetensors files it reads the headers and
// holds them against the sizes in m, so that a truncated file is found without reading
// it; GGUF and PyTorch files are accepted by their presence. It reads a few kilobytes of
// each shard through src, at most 16 at the same time, and again where [Read] does.
//
// It looks at the top folder only, as engines do. An error of src itself is joined with its own
// kind; one that is Throttled or Unavailable ends the check, and is returned alone.
func CheckModel(ctx context.Context, src Source, m *Manifest, o *CheckOptions) error {
	if o == nil {
		o = &CheckOptions{}
	}
	reads, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	c := &checker{src: src, m: m, mistral: o.Mistral, giveUp: giveUp}
	weights := c.weights()
	errs := []error{c.config(reads, weights)}
	if !o.NoTokenizer {
		errs = append(errs, c.tokenizer(weights))
	}
	switch {
	case o.NoWeights:
	case o.Ranks != nil:
		errs = append(errs, c.ranks(reads, *o.Ranks))
	case o.Safetensors:
		errs = append(errs, c.onlySafetensors(reads, weights))
	default:
		errs = append(errs, c.complete(reads, weights))
	}
	if err := lifecycle.FromContext(ctx, checkOp, m.URI); err != nil {
		return err
	}
	if failed := context.Cause(reads); failed != nil {
		return failed
	}
	return errors.Join(errs...)
}

// A checker holds what one CheckModel works on.
type checker struct {
	src     Source
	m       *Manifest
	mistral bool
	giveUp  context.CancelCauseFunc
}

func (c *checker) has(name string) bool {
	_, ok := c.m.File(name)
	return ok
}

// top yields the files that lie in the top folder.
func (c *checker) top() []File {
	return c.m.Filter(func(f File) bool { return !strings.Contains(f.Path, "/") }).Files
}

func (c *checker) fail(kind lifecycle.Kind, file, hint string, err error) error {
	return &lifecycle.Error{Op: checkOp, Kind: kind, Target: strings.TrimSuffix(c.m.URI, "/") + "/" + file, Hint: hint, Err: err}
}

func (c *checker) missing(file, hint, format string, args ...any) error {
	return c.fail(lifecycle.MissingFile, file, hint, fmt.Errorf(format, args...))
}

// refetch is the hint for a file whose bytes are wrong.
const refetch = "upload or download that file again"

func (c *checker) corrupt(file string, err error) error {
	hint := refetch
	if strings.Contains(err.Error(), "LFS") {
		hint = "fetch the real file with: git lfs pull"
	}
	return c.fail(lifecycle.Corrupt, file, hint, err)
}

// each runs f for all files, at most checkReaders at the same time, and joins the errors
// in the order of files.
func (c *checker) each(files []File, f func(File) error) error {
	errs := make([]error, len(files))
	var g errgroup.Group
	g.SetLimit(checkReaders)
	for i, file := range files {
		g.Go(func() error {
			errs[i] = f(file)
			return nil
		})
	}
	_ = g.Wait() // its errors are in errs
	return errors.Join(errs...)
}

// elsewhere names a folder below the top one that looks like the model, or "".
func (c *checker) elsewhere() string {
	for _, f := range c.m.Files {
		if dir := path.Dir(f.Path); path.Base(f.Path) == "config.json" && dir != "." {
			return dir
		}
	}
	return ""
}
