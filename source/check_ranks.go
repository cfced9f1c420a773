package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Ranks are how a checkpoint was saved with files of their own for each rank, as vLLM's
// sharded_state and runai_streamer_sharded read it. Such a checkpoint fits exactly the
// parallelism that it was saved with.
type Ranks struct {
	// Pattern names the files, with the fields {rank} or {tp_rank}, {pp_rank} and {part};
	// "" means vLLM's own, model-rank-{rank}-part-{part}.safetensors or, with a pipeline,
	// model-pp-{pp_rank}-tp-{tp_rank}-part-{part}.safetensors.
	Pattern  string
	Tensor   int // tensor_parallel_size; 0 means 1
	Pipeline int // pipeline_parallel_size; 0 means 1
}

const (
	oneStage   = "model-rank-{rank}-part-{part}.safetensors"
	manyStages = "model-pp-{pp_rank}-tp-{tp_rank}-part-{part}.safetensors"
)

// patternField is a field of Python's format strings, or one of its escaped braces.
var patternField = regexp.MustCompile(`\{\{|\}\}|\{(\w*)(?::0?(\d{0,2})d?)?\}|[{}]`)

// Globs returns one pattern of path.Match per rank, by stage and then by tensor rank. A
// Pattern that names the same files for several ranks, or cannot be read, is an error.
func (r Ranks) Globs() ([]string, error) {
	stages, ranks := max(1, r.Pipeline), max(1, r.Tensor)
	fields, err := r.fields()
	if err != nil {
		return nil, err
	}
	has := func(name string) bool { return slices.Contains(fields, name) }
	switch hasTensor := has("rank") || has("tp_rank"); {
	case stages > 1 && !has("pp_rank"):
		return nil, fmt.Errorf("it lacks {pp_rank}, and there are %d stages", stages)
	case stages == 1 && has("pp_rank"):
		return nil, errors.New("it has {pp_rank}, and there is no pipeline")
	case ranks > 1 && !hasTensor:
		return nil, fmt.Errorf("it lacks {rank}, and there are %d ranks", ranks)
	}
	var globs []string
	for stage := range stages {
		for rank := range ranks {
			globs = append(globs, r.glob(stage, rank))
		}
	}
	return globs, nil
}

// Name returns the Pattern, or the default that stands for it.
func (r Ranks) Name() string {
	switch {
	case r.Pattern != "":
		return r.Pattern
	case r.Pipeline > 1:
		return manyStages
	default:
		return oneStage
	}
}

func (r Ranks) fields() ([]string, error) {
	var names []string
	for _, m := range patternField.FindAllStringSubmatch(r.Name(), -1) {
		switch m[1] {
		case "rank", "tp_rank", "pp_rank", "part":
			names = append(names, m[1])
		default:
			if m[0] != "{{" && m[0] != "}}" {
				return nil, fmt.Errorf("%q is none of {rank}, {tp_rank}, {pp_rank} and {part}", m[0])
			}
		}
	}
	return names, nil
}

// glob is the pattern of one rank's files.
func (r Ranks) glob(stage, rank int) string {
	return patternField.ReplaceAllStringFunc(r.Name(), func(s string) string {
		m := patternField.FindStringSubmatch(s)
		width, _ := strconv.Atoi(m[2]) // "" is none
		switch m[1] {
		case "rank", "tp_rank":
			return fmt.Sprintf("%0*d", width, rank)
		case "pp_rank":
			return fmt.Sprintf("%0*d", width, stage)
		case "part":
			return "*"
		default:
			return s[:1] // an escaped brace
		}
	})
}

// ranks checks a checkpoint that was saved by rank: each has files, and there are no more
// ranks than will read.
func (c *checker) ranks(ctx context.Context, r Ranks) error {
	globs, err := r.Globs()
	if err != nil {
		return c.fail(lifecycle.Invalid, r.Name(), "correct the pattern of its files", err)
	}
	if more := c.moreRanks(r); more != nil {
		return more
	}
	var errs []error
	var files []File
	for i, glob := range globs {
		found := c.matching(glob)
		if len(found) == 0 {
			errs = append(errs, c.missing(glob, "save the checkpoint with as many ranks as will read it, or correct the pattern of its files",
				"rank %d of %d has no file", i, len(globs)))
		}
		files = append(files, found...)
	}
	return errors.Join(append(errs, c.headers(ctx, files))...)
}

// moreRanks refuses a checkpoint of more ranks: an engine would load a part of each tensor.
func (c *checker) moreRanks(r Ranks) error {
	ranks, stages := max(1, r.Tensor), max(1, r.Pipeline)
	if used := r.glob(0, 0); r.glob(0, 1) != used {
		for len(c.matching(r.glob(0, ranks))) > 0 {
			ranks++
		}
	}
	if r.glob(1, 0) != r.glob(0, 0) {
		for len(c.matching(r.glob(stages, 0))) > 0 {
			stages++
		}
	}
	if ranks == max(1, r.Tensor) && stages == max(1, r.Pipeline) {
		return nil
	}
	return c.fail(lifecycle.Invalid, r.Name(),
		fmt.Sprintf("set tensor_parallel_size: %d and pipeline_parallel_size: %d, or save it anew", ranks, stages),
		fmt.Errorf("the checkpoint was saved for %d × %d ranks, not for %d × %d", ranks, stages, max(1, r.Tensor), max(1, r.Pipeline)))
}

// matching returns the files of the top folder that a glob names.
func (c *checker) matching(glob string) []File {
	return slices.DeleteFunc(c.top(), func(f File) bool {
		ok, err := path.Match(glob, f.Path)
		return err != nil || !ok
	})
}
