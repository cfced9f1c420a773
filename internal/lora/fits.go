package lora

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Fits refuses an adapter that is for another model than the one in dir: a module of another
// shape, or in a layer that the model does not have. What cannot be known passes: weights that
// are not here, in another format, or packed, and modules by another name.
func (a *Adapter) Fits(dir string) error {
	shapes, err := modelShapes(dir)
	if err != nil {
		return nil //nolint:nilerr // the model has been checked; what is not read here is not known
	}
	for _, name := range slices.Sorted(maps.Keys(a.modules)) {
		m := a.modules[name]
		shape, known := shapes[name]
		switch {
		case known && m != (module{in: shape[1], out: shape[0]}) && m != (module{in: shape[0], out: shape[1]}): // some store it transposed
			return a.unfit(fmt.Errorf("%s has %d inputs and %d outputs in the adapter, and the shape %v in the model", name, m.in, m.out, shape))
		case !known && missesLayer(name, shapes):
			return a.unfit(fmt.Errorf("the model has no %s", name))
		}
	}
	return nil
}

func (a *Adapter) unfit(err error) error {
	return fail(lifecycle.Invalid, a.dir, "it was made for another model: use it with that one", err)
}

var layerNumber = regexp.MustCompile(`\.\d+\.`)

// missesLayer reports a module whose like the model has in its first layer.
func missesLayer(name string, shapes map[string][2]int64) bool {
	_, first := shapes[layerNumber.ReplaceAllString(name, ".0.")]
	return first
}

// plain are the types whose shapes are those of the matrix; others may be packed.
var plain = []string{"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}

// modelShapes are those of the model's matrices, [out, in], by module.
func modelShapes(dir string) (map[string][2]int64, error) {
	files, err := filepath.Glob(filepath.Join(escape.ReplaceAllString(dir, `\$0`), "*.safetensors"))
	if err != nil {
		return nil, err
	}
	shapes := map[string][2]int64{}
	for _, file := range files {
		tensors, err := header(file)
		if err != nil {
			return nil, err
		}
		for _, t := range tensors {
			if name, ok := matrix(t); ok {
				shapes[name] = [2]int64{t.Shape[0], t.Shape[1]}
			}
		}
	}
	return shapes, nil
}

var escape = regexp.MustCompile(`[*?\[\\]`)

// matrix returns the module whose weights t are.
func matrix(t safetensors.Tensor) (name string, ok bool) {
	name, ok = strings.CutSuffix(t.Name, ".weight")
	return name, ok && len(t.Shape) == 2 && slices.Contains(plain, t.DType)
}
