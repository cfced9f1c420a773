package source

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"

	"github.com/spinup-llm/spinup/internal/safetensors"
)

// firstRead is how much of a shard is read at once: nearly every header fits, so that one
// request per shard is enough.
const firstRead = 64 << 10

var (
	notWeights = regexp.MustCompile(`^(adapter_model|training_args|optimizer|scheduler|rng_state|trainer_state|scaler|random_states)`)
	shardName  = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})(\.[a-z]+)$`)
)

// weights returns the files of the top folder that hold weights.
func (c *checker) weights() []File {
	return slices.DeleteFunc(c.top(), func(f File) bool {
		switch path.Ext(f.Path) {
		case ".safetensors", ".bin", ".pt", ".pth", ".gguf":
			return notWeights.MatchString(f.Path)
		default:
			return true
		}
	})
}

func hasGGUF(weights []File) bool {
	return slices.ContainsFunc(weights, func(f File) bool { return path.Ext(f.Path) == ".gguf" })
}

func notSafetensors(f File) bool { return path.Ext(f.Path) != ".safetensors" }

func isAdapter(f File) bool { return f.Path == "adapter_config.json" }

// complete checks that all weights are there and that safetensors files are whole.
func (c *checker) complete(ctx context.Context, weights []File) error {
	weights = c.oneCopy(preferred(weights))
	index, hasIndex := c.index(weights)
	switch {
	case len(weights) == 0 && !hasIndex && c.mistral:
		return c.missing("consolidated.safetensors", "leave load_format and config_format out: the model is not in Mistral's format", "there are no weights in consolidated*.safetensors")
	case len(weights) == 0 && !hasIndex:
		return c.missing("model.safetensors", layout, "there are no weights")
	case !hasIndex:
		return errors.Join(c.unnumbered(weights), c.headers(ctx, weights))
	}
	named, err := c.indexed(ctx, index)
	if err != nil {
		return errors.Join(err, c.headers(ctx, weights))
	}
	used := slices.DeleteFunc(weights, func(f File) bool { return !slices.Contains(named, f.Path) })
	return errors.Join(c.absent(named, index.Path+" names it"), c.headers(ctx, used))
}

// onlySafetensors is complete for an engine that reads no other format.
func (c *checker) onlySafetensors(ctx context.Context, weights []File) error {
	some := slices.DeleteFunc(weights, notSafetensors)
	if len(some) == 0 && !c.has("model.safetensors.index.json") {
		return c.missing("model.safetensors", "convert the weights to safetensors, or choose another load format",
			"there are no weights in *.safetensors, and the load format reads no others")
	}
	return c.complete(ctx, some)
}

// preferred returns the files of the one format that engines take first.
func preferred(weights []File) []File {
	for _, ext := range []string{".safetensors", ".bin", ".pt", ".pth"} {
		some := slices.DeleteFunc(slices.Clone(weights), func(f File) bool { return path.Ext(f.Path) != ext })
		if len(some) > 0 {
			return some
		}
	}
	return weights
}

// oneCopy leaves out the weights in Mistral's format where there are others, or the others where those are
// what the engine was told to read.
func (c *checker) oneCopy(weights []File) []File {
	others := slices.DeleteFunc(slices.Clone(weights), isConsolidated)
	if len(others) > 0 && !c.mistral {
		return others
	}
	return slices.DeleteFunc(weights, func(f File) bool { return !isConsolidated(f) })
}

func isConsolidated(f File) bool {
	ok, _ := path.Match("consolidated*.safetensors", f.Path) // the pattern is well-formed
	return ok
}

// index returns the index that counts: that of Mistral's format where that is read, else that of safetensors,
// or that of PyTorch where there are no safetensors files at all.
func (c *checker) index(weights []File) (File, bool) {
	if c.mistral || len(weights) > 0 && isConsolidated(weights[0]) {
		return c.m.File("consolidated.safetensors.index.json")
	}
	if f, ok := c.m.File("model.safetensors.index.json"); ok {
		return f, true
	}
	if slices.ContainsFunc(weights, func(f File) bool { return path.Ext(f.Path) == ".safetensors" }) {
		return File{}, false
	}
	return c.m.File("pytorch_model.bin.index.json")
}

// indexed returns the names of the shards that the index names.
func (c *checker) indexed(ctx context.Context, f File) ([]string, error) {
	var index struct {
		ShardOf map[string]string `json:"weight_map"`
	}
	if err := c.readJSON(ctx, f, &index); err != nil {
		return nil, err
	}
	if len(index.ShardOf) == 0 {
		return nil, c.corrupt(f.Path, errors.New(`it has no "weight_map" from tensors to files`))
	}
	names := map[string]bool{}
	for _, name := range index.ShardOf {
		if !names[name] && CheckPath(name) != nil {
			return nil, c.corrupt(f.Path, fmt.Errorf("it names %q, which is no file of this model", name))
		}
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names)), nil
}

// unnumbered finds, where there is no index, what is missing between 00001 and 0000N.
func (c *checker) unnumbered(weights []File) error {
	var errs []error
	seen := map[string]bool{}
	for _, f := range weights {
		p := shardName.FindStringSubmatch(f.Path)
		if p == nil || seen[p[1]+p[3]+p[4]] {
			continue
		}
		seen[p[1]+p[3]+p[4]] = true
		total, _ := strconv.Atoi(p[3]) // five digits
		names := make([]string, total)
		for i := range names {
			names[i] = fmt.Sprintf("%s-%05d-of-%s%s", p[1], i+1, p[3], p[4])
		}
		errs = append(errs, c.absent(names, "the name of "+f.Path+" says so"))
	}
	return errors.Join(errs...)
}

// maxAbsent bounds the errors about shards, so that a name cannot make 99,999 of them.
const maxAbsent = 20

// absent reports the shards that are not there.
func (c *checker) absent(names []string, why string) error {
	gone := slices.DeleteFunc(slices.Clone(names), c.has)
	var errs []error
	for i, name := range gone {
		if i == maxAbsent {
			why = fmt.Sprintf("%s, and %d more are missing", why, len(gone)-i-1)
		}
		errs = append(errs, c.missing(name, refetch, "one of %d shards: %s", len(names), why))
		if i == maxAbsent {
			break
		}
	}
	return errors.Join(errs...)
}

// headers checks those of files that are safetensors.
func (c *checker) headers(ctx context.Context, files []File) error {
	files = slices.DeleteFunc(slices.Clone(files), notSafetensors)
	return c.each(files, func(f File) error { return c.header(ctx, f) })
}

// header reads the header of a safetensors file and holds it against the file's size.
func (c *checker) header(ctx context.Context, f File) error {
	data, err := c.read(ctx, f, 0, min(f.Size, firstRead))
	if err != nil {
		return err
	}
	n, err := safetensors.HeaderLen(data, f.Size)
	if err != nil {
		return c.corrupt(f.Path, err)
	}
	if more := 8 + n - int64(len(data)); more > 0 {
		rest, err := c.read(ctx, f, int64(len(data)), more)
		if err != nil {
			return err
		}
		data = append(data, rest...)
	}
	if _, err := safetensors.Parse(data[8:8+n], f.Size); err != nil {
		return c.corrupt(f.Path, err)
	}
	return nil
}
