package vllm

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// loaders are the installed version's load formats, with the file that reads each.
type loaders map[string]string

var (
	loaderTable  = regexp.MustCompile(`(?s)_LOAD_FORMAT_TO_MODEL_LOADER[^=]*= \{(.*?)\n\}`)
	loaderEntry  = regexp.MustCompile(`["']([\w.-]+)["']: (\w+),`)
	loaderImport = regexp.MustCompile(`from (?:vllm\.model_executor\.model_loader)?\.([\w.]+) import (?:\(([^)]*)\)|(.+))`)
)

// readLoaders returns nil where the list cannot be read.
func readLoaders(pkg string) loaders {
	dir := filepath.Join(pkg, "model_executor", "model_loader")
	src, err := os.ReadFile(filepath.Join(dir, "__init__.py")) //nolint:gosec // a file of the installation
	if err != nil {
		return nil
	}
	return scanLoaders(string(src), dir)
}

func scanLoaders(src, dir string) loaders {
	table := loaderTable.FindStringSubmatch(src)
	if table == nil {
		return nil
	}
	files := map[string]string{}
	for _, m := range loaderImport.FindAllStringSubmatch(src, -1) {
		for class := range strings.FieldsFuncSeq(m[2]+m[3], func(r rune) bool { return strings.ContainsRune(", \n", r) }) {
			files[class] = filepath.Join(dir, strings.ReplaceAll(m[1], ".", string(filepath.Separator))+".py")
		}
	}
	found := loaders{}
	for _, m := range loaderEntry.FindAllStringSubmatch(table[1], -1) {
		found[m[1]] = files[m[2]]
	}
	if len(found) == 0 {
		return nil
	}
	return found
}

// loaderModules are the Python packages that a format needs beside vLLM.
var loaderModules = map[string]string{
	"runai_streamer": "runai_model_streamer", "runai_streamer_sharded": "runai_model_streamer",
	"tensorizer": "tensorizer", "fastsafetensors": "fastsafetensors",
}

func loadFormat(kwargs map[string]any) string { return strings.ToLower(text(kwargs["load_format"])) }

// loader holds load_format and model_loader_extra_config against the installed loaders.
func (c *check) loader() error {
	format := loadFormat(c.spec.Kwargs)
	known := readLoaders(c.inst.pkg)
	if known == nil {
		return nil
	}
	file, has := known[format]
	switch {
	case format == "":
		file = known["auto"]
	case c.unsigned():
		return invalidKwarg("load_format", format+" signs its requests, and the bucket is to be read without keys",
			"give keys and leave out anonymous@, or use load_format runai_streamer")
	case !has && c.inst.hasPlugins():
		return nil
	case !has:
		names := slices.Sorted(maps.Keys(known))
		hint := "use one of " + strings.Join(names, ", ")
		if near := nearest.Of(format, names, 1); len(near) > 0 {
			hint = nearest.Hint(format, names)
		}
		return invalidKwarg("load_format", fmt.Sprintf("the installed vLLM has no load format %q", format), hint)
	}
	module := loaderModules[format]
	if c.spec.Weights != nil && module != "" && c.inst.mayHavePackage(module) {
		module = cmp.Or(bucketModules[c.spec.Weights.Scheme], module)
	}
	if module != "" && !c.inst.mayHavePackage(module) {
		return problem(lifecycle.NotFound, module, fmt.Sprintf("load_format %s needs the Python package %s", format, module),
			"install it beside vLLM: pip install 'vllm["+loaderExtra(format)+"]'")
	}
	return c.extraConfig(format, file)
}

func loaderExtra(format string) string {
	if strings.HasPrefix(format, "runai") {
		return "runai"
	}
	return format
}

// extraConfig refuses keys that the loader's source does not mention, where that source
// says that it refuses unknown ones.
func (c *check) extraConfig(format, file string) error {
	extra := asMap(c.spec.Kwargs["model_loader_extra_config"])
	if len(extra) == 0 {
		return nil
	}
	data, err := os.ReadFile(file) //nolint:gosec // a file of the installation
	if err != nil {
		return nil //nolint:nilerr // without the loader's source there is nothing to hold against
	}
	src := string(data)
	if strings.Contains(src, "Model loader extra config is not supported") {
		return invalidKwarg("model_loader_extra_config", "load_format "+format+" takes none", "remove model_loader_extra_config")
	}
	if !strings.Contains(src, "Unexpected extra config keys") {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		if !strings.Contains(src, `"`+key+`"`) && !strings.Contains(src, `'`+key+`'`) {
			return invalidKwarg("model_loader_extra_config."+key, "load_format "+orAuto(format)+" does not know it", extraHint(key, src))
		}
	}
	if isSharded(format) {
		return c.pattern(extra["pattern"])
	}
	return streamerValues(format, extra)
}

func orAuto(format string) string {
	if format == "" {
		return "auto"
	}
	return format
}

var (
	allowedKeys = regexp.MustCompile(`(?s)allowed_keys = \{(.*?)\}|extra_config\.pop\(("\w+")`)
	quoted      = regexp.MustCompile(`["'](\w+)["']`)
)

func extraHint(key, src string) string {
	if key == "pattern" {
		return "remove it: pattern is for sharded_state and runai_streamer_sharded"
	}
	m := allowedKeys.FindStringSubmatch(src)
	if m == nil {
		return "remove it"
	}
	var names []string
	for _, q := range quoted.FindAllStringSubmatch(m[1]+m[2], -1) {
		names = append(names, q[1])
	}
	if near := nearest.Of(key, names, 1); len(near) > 0 {
		return nearest.Hint(key, names)
	}
	return "it takes " + strings.Join(names, ", ")
}

// streamerValues holds the values of the streamer's keys against what it takes.
func streamerValues(format string, extra map[string]any) error {
	if format != "runai_streamer" {
		return nil
	}
	for key, least := range map[string]float64{"concurrency": 1, "memory_limit": -1} {
		v, set := extra[key]
		if n, ok := driver.Number(v); set && (!ok || n < least || n != math.Trunc(n)) {
			return invalidKwarg("model_loader_extra_config."+key, fmt.Sprintf("%v is no whole number of %v or more", v, least), "correct it, or remove it for the default")
		}
	}
	if v, set := extra["distributed"]; set {
		if _, ok := v.(bool); !ok {
			return invalidKwarg("model_loader_extra_config.distributed", fmt.Sprintf("%v is no boolean", v), "write true or false")
		}
	}
	return nil
}
