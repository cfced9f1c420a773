package lora

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/spinup-llm/spinup/lifecycle"
)

// The files of an adapter.
const (
	ConfigFile  = "adapter_config.json"
	WeightsFile = "adapter_model.safetensors"
	pickledFile = "adapter_model.bin" // of old adapters; accepted by its presence
)

// layout is what an adapter's folder is expected to look like.
const layout = "an adapter is a folder with " + ConfigFile + " and " + WeightsFile + ", as PEFT's save_pretrained writes it"

const maxConfig = 1 << 20 // bytes

// An Adapter is what its files say of it.
type Adapter struct {
	Rank int // the highest of its modules'

	dir     string
	modules map[string]module // by name, as in "model.layers.0.self_attn.q_proj"; empty where it is pickled
}

// A module is a layer that the adapter changes, by matrices of the shapes [rank, in] and
// [out, rank].
type module struct{ in, out int64 }

func fail(kind lifecycle.Kind, file, hint string, err error) error {
	return &lifecycle.Error{Op: "lora.Check", Kind: kind, Target: file, Err: err, Hint: hint}
}

// Read reads the adapter in dir.
func Read(dir string) (*Adapter, error) {
	a := &Adapter{dir: dir, modules: map[string]module{}}
	if err := a.readConfig(filepath.Join(dir, ConfigFile)); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, WeightsFile)
	tensors, err := header(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, pickled := os.Stat(filepath.Join(dir, pickledFile)); pickled == nil {
			return a, nil
		}
		return nil, fail(lifecycle.MissingFile, file, layout, errors.New("the adapter has no weights"))
	case err != nil:
		return nil, fail(lifecycle.Corrupt, file, "upload or download that file again", fmt.Errorf("%s: %w", WeightsFile, err))
	}
	a.addModules(tensors)
	return a, nil
}

func (a *Adapter) readConfig(file string) error {
	data, err := os.ReadFile(file) //nolint:gosec // a file of the adapter's
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(lifecycle.MissingFile, file, layout, errors.New("there is no "+ConfigFile))
	case err != nil:
		return fail(lifecycle.AccessDenied, file, "make the adapter's files readable for this user", err)
	case len(data) > maxConfig:
		return fail(lifecycle.Corrupt, file, layout, fmt.Errorf("%s has %d bytes", ConfigFile, len(data)))
	}
	var config struct {
		Type        *string        `json:"peft_type"`
		Rank        int            `json:"r"`
		RankPattern map[string]int `json:"rank_pattern"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return fail(lifecycle.Corrupt, file, "upload or download that file again", fmt.Errorf("%s is not the JSON of an adapter: %w", ConfigFile, err))
	}
	switch {
	case config.Type == nil:
		return fail(lifecycle.Invalid, file, layout, fmt.Errorf("%s has no peft_type", ConfigFile))
	case *config.Type != "LORA":
		return fail(lifecycle.Invalid, file, "only adapters of the type LORA can be served", fmt.Errorf("its peft_type is %q", *config.Type))
	case config.Rank < 1:
		return fail(lifecycle.Invalid, file, layout, fmt.Errorf("its rank r is %d", config.Rank))
	}
	a.Rank = config.Rank
	for _, r := range config.RankPattern {
		a.Rank = max(a.Rank, r)
	}
	return nil
}

// addModules pairs the tensors "base_model.model.MODULE.lora_A.weight" and "….lora_B.weight".
// Others, such as those of embeddings and magnitudes, are the engine's to judge.
func (a *Adapter) addModules(tensors []safetensors.Tensor) {
	for _, t := range tensors {
		name := strings.TrimPrefix(t.Name, "base_model.model.")
		down, isA := strings.CutSuffix(name, ".lora_A.weight")
		up, isB := strings.CutSuffix(name, ".lora_B.weight")
		switch {
		case len(t.Shape) != 2:
		case isA:
			m := a.modules[down]
			m.in = t.Shape[1]
			a.modules[down], a.Rank = m, max(a.Rank, int(t.Shape[0]))
		case isB:
			m := a.modules[up]
			m.out = t.Shape[0]
			a.modules[up] = m
		}
	}
}

// header returns the tensors of a safetensors file, which it covers to the last byte.
func header(file string) ([]safetensors.Tensor, error) {
	f, err := os.Open(file) //nolint:gosec // a file of the adapter's or the model's
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	first := make([]byte, min(8, info.Size()))
	if _, err = io.ReadFull(f, first); err != nil {
		return nil, err
	}
	n, err := safetensors.HeaderLen(first, info.Size())
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	if _, err = io.ReadFull(f, data); err != nil {
		return nil, err
	}
	h, err := safetensors.Parse(data, info.Size())
	if err != nil {
		return nil, err
	}
	return h.Tensors, nil
}
