package vllm

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// isSharded reports whether a load format reads what save_sharded_state wrote.
func isSharded(format string) bool {
	return format == "sharded_state" || format == "runai_streamer_sharded"
}

// ranks is how the checkpoint has to be saved; ok is false where the pattern is no text.
func (c *check) ranks(pattern any) (r source.Ranks, ok bool) {
	size := func(name string) int {
		n, _ := driver.Number(c.spec.Kwargs[name]) // what is no number is for vLLM to say
		return int(n)
	}
	r = source.Ranks{Tensor: size("tensor_parallel_size"), Pipeline: size("pipeline_parallel_size")}
	if pattern != nil {
		r.Pattern, ok = pattern.(string)
		return r, ok
	}
	return r, true
}

// pattern holds the name of the files of a rank against the parallelism.
func (c *check) pattern(pattern any) error {
	const name, form = "model_loader_extra_config.pattern", "write the name of a file with {rank} and {part}"
	r, isText := c.ranks(pattern)
	if !isText {
		return invalidKwarg(name, fmt.Sprintf("%v is no text", pattern), form)
	}
	if _, err := r.Globs(); err != nil {
		return invalidKwarg(name, fmt.Sprintf("%q: %v", r.Pattern, err),
			"correct it, or remove it for the default "+source.Ranks{Tensor: r.Tensor, Pipeline: r.Pipeline}.Name())
	}
	return nil
}

// unsigned reports whether a loader that can only sign its requests is to read a public bucket.
func (c *check) unsigned() bool {
	return loadFormat(c.spec.Kwargs) == "runai_streamer_sharded" && c.spec.Weights != nil && c.spec.Weights.User != nil
}

// shardsOfRanks requires that each rank finds a file in the folder.
func (c *check) shardsOfRanks() error {
	r, ok := c.ranks(asMap(c.spec.Kwargs["model_loader_extra_config"])["pattern"])
	globs, err := r.Globs()
	if err != nil || !ok {
		return nil //nolint:nilerr // pattern has said so
	}
	var problems []error
	for _, glob := range globs {
		files, _ := filepath.Glob(filepath.Join(escapeGlob(c.spec.Dir), glob)) // a malformed pattern has no files
		if len(files) == 0 {
			problems = append(problems, problem(lifecycle.MissingFile, c.at(glob), "a rank finds no file of that name",
				"save the checkpoint with this parallelism, or correct model_loader_extra_config.pattern"))
		}
		for _, file := range files {
			problems = append(problems, checkHeader(file))
		}
	}
	return errors.Join(problems...)
}
