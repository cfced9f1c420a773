package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const indexName = "model.safetensors.index.json"

// A chooser says which files of a model are wanted.
type chooser struct {
	allow, ignore patterns
	other         func(*source.Manifest) (*source.Manifest, error) // instead of ForEngine; nil means that
	format        string                                           // for ForFormat; "" means ForEngine
}

func (r *repo) choose(ctx context.Context, m *source.Manifest) (*source.Manifest, error) {
	wanted := m.Filter(func(f source.File) bool { return !r.choice.ignore.match(f.Path) })
	told := ForFormat(wanted, r.choice.format)
	switch {
	case len(r.choice.allow) > 0:
		wanted = wanted.Filter(func(f source.File) bool { return r.choice.allow.match(f.Path) })
	case r.choice.other != nil:
		return r.choice.other(wanted)
	case told != nil:
		wanted = wanted.Filter(told)
	default:
		shards, err := r.shards(ctx, wanted)
		if err != nil {
			return nil, err
		}
		wanted = wanted.Filter(ForEngine(wanted, shards))
	}
	if len(wanted.Files) == 0 {
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.NotFound, Target: r.loc.String(),
			Err:  fmt.Errorf("of its %d files none is wanted", len(m.Files)),
			Hint: "check the patterns and the model: " + r.set.page(r.loc.id+"/tree/"+m.Revision),
		}
	}
	return wanted, nil
}

// shards returns the files that the index names, where the names alone do not tell them
// apart from others; else nil.
func (r *repo) shards(ctx context.Context, m *source.Manifest) ([]string, error) {
	index, ok := m.File(indexName)
	if !ok || oneSeries(m.Filter(isShard).Files) {
		return nil, nil
	}
	data, err := r.readIndex(ctx, index)
	if err != nil {
		return nil, err
	}
	shards, err := parseIndex(data)
	if err != nil {
		return nil, r.indexError(err)
	}
	return shards, nil
}

func (r *repo) indexError(err error) error {
	return &lifecycle.Error{
		Op: opResolve, Kind: lifecycle.Corrupt, Target: r.loc.canonical() + "/" + indexName, Err: err,
		Hint: "choose the files with AllowPatterns, or tell who made the model",
	}
}

// parseIndex returns the names of the shards, sorted.
func parseIndex(data []byte) ([]string, error) {
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("it is not JSON of its form: %w", err)
	}
	if len(index.Map) == 0 {
		return nil, errors.New("its weight_map is empty")
	}
	return slices.Compact(slices.Sorted(maps.Values(index.Map))), nil
}

var series = regexp.MustCompile(`^(.+)-\d{5}-of-\d{5}\.safetensors$`)

// isShard reports whether f can be a part of the weights that engines read first.
func isShard(f source.File) bool {
	return formatOf(f.Path) == ".safetensors" && !strings.Contains(f.Path, "/") && !consolidated.MatchString(f.Path)
}

// oneSeries reports whether the files, which are sorted, are a single one or the shards of
// one model, all of them.
func oneSeries(files []source.File) bool {
	if len(files) <= 1 {
		return true
	}
	stem := series.FindStringSubmatch(files[0].Path)
	if stem == nil {
		return false
	}
	for i, f := range files {
		if f.Path != fmt.Sprintf("%s-%05d-of-%05d.safetensors", stem[1], i+1, len(files)) {
			return false
		}
	}
	return true
}
