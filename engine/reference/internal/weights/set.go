package weights

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// A Set is all weights of a model: model.safetensors, or the shards that
// model.safetensors.index.json names. Its methods are safe for concurrent use.
type Set struct {
	files   []*file
	tensors map[string]Tensor
}

// Open opens the weights in dir and checks every header. The caller closes the Set.
func Open(dir string) (*Set, error) {
	names, index, err := shards(dir)
	if err != nil {
		return nil, err
	}
	s := &Set{tensors: map[string]Tensor{}}
	for _, name := range names {
		f, err := openFile(filepath.Join(dir, name))
		if err != nil {
			_ = s.Close() // were only read
			return nil, err
		}
		s.files = append(s.files, f)
		for _, t := range f.header.Tensors {
			if index == nil || index[t.Name] == name {
				s.tensors[t.Name] = Tensor{Tensor: t, file: f}
			}
		}
	}
	for tensor, name := range index {
		if _, ok := s.tensors[tensor]; !ok {
			err := fmt.Errorf("%s names tensor %q, which %s lacks", indexName, tensor, name)
			_ = s.Close()
			return nil, corrupt(filepath.Join(dir, name), err)
		}
	}
	return s, nil
}

// Close closes all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Tensor returns the tensor of that name.
func (s *Set) Tensor(name string) (Tensor, bool) {
	t, ok := s.tensors[name]
	return t, ok
}

// shards returns the files of the model in dir and, where there is an index, which tensor
// is in which file.
func shards(dir string) (names []string, index map[string]string, err error) {
	if _, err = os.Stat(filepath.Join(dir, singleName)); err == nil {
		return []string{singleName}, nil, nil
	}
	path := filepath.Join(dir, indexName)
	text, err := os.ReadFile(path) //nolint:gosec // the model's folder is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &lifecycle.Error{
			Op: "weights.Open", Kind: lifecycle.MissingFile, Target: filepath.Join(dir, singleName),
			Err: fs.ErrNotExist, Hint: "give a folder with " + singleName + ", or with " + indexName + " and its shards",
		}
	}
	if err != nil {
		return nil, nil, &lifecycle.Error{Op: "weights.Open", Kind: lifecycle.Unavailable, Target: path, Err: err}
	}
	if index, err = parseIndex(text); err != nil {
		return nil, nil, corrupt(path, err)
	}
	names = slices.Sorted(maps.Values(index))
	return slices.Compact(names), index, nil
}

// parseIndex returns the weight_map: tensor to file name.
func parseIndex(text []byte) (map[string]string, error) {
	var v struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, err
	}
	if len(v.WeightMap) == 0 {
		return nil, errors.New("weight_map is empty")
	}
	for tensor, name := range v.WeightMap {
		if filepath.Base(name) != name || !filepath.IsLocal(name) {
			return nil, fmt.Errorf("tensor %q: %q is not the name of a file beside the index", tensor, name)
		}
	}
	return v.WeightMap, nil
}
