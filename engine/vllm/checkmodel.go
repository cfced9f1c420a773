package vllm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// model holds config.json against the installation and the kwargs.
func (c *check) model() error {
	if c.spec.Dir == "" && c.spec.Weights == nil {
		return problem(lifecycle.Invalid, c.spec.ModelID, "there is no model folder", "give the folder that holds the model's files")
	}
	if c.spec.Dir == "" {
		return nil
	}
	if !isDir(c.spec.Dir) {
		return problem(lifecycle.NotFound, c.spec.Dir, "the model's folder does not exist", "check the path")
	}
	cfg, err := readModelConfig(c.spec)
	switch {
	case errors.Is(err, errNoConfig):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return problem(lifecycle.MissingFile, c.at(configFile), "the model has no config.json",
			"give the folder a config.json: a Hugging Face model has one next to its weights")
	case errors.Is(err, fs.ErrPermission):
		return problem(lifecycle.AccessDenied, c.at(configFile), err.Error(), "make the model's files readable for this user")
	case err != nil:
		return problem(lifecycle.Corrupt, c.at(configFile), "it is not valid JSON: "+jsonProblem(err), "fetch the file again")
	}
	return errors.Join(c.architecture(cfg), c.parallel(cfg), c.length(cfg), c.code(cfg))
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func jsonProblem(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("%v at byte %d", e, e.Offset)
	}
	return err.Error()
}

// architecture refuses only what neither the installed vLLM nor its transformers lists,
// where no plugin could add it and the model brings no code of its own.
func (c *check) architecture(cfg modelConfig) error {
	archs := cfg.architectures()
	if len(archs) == 0 || c.spec.Kwargs["model_class_overrides"] != nil {
		return nil
	}
	ok, known := c.inst.supports(archs)
	if ok {
		return nil
	}
	if _, own := cfg.top["auto_map"]; own {
		if truthy(c.spec.Kwargs["trust_remote_code"]) {
			return nil
		}
		return problem(lifecycle.Invalid, "engine_kwargs.trust_remote_code",
			fmt.Sprintf("%s is known only through the code that comes with the model", archs[0]),
			"read the model's code, then set engine_kwargs.trust_remote_code: true")
	}
	hint := "use a vLLM that supports the architecture, or a model of one that it does"
	if near := nearest.Of(archs[0], known.names(), 1); len(near) > 0 {
		hint += "; the nearest that it knows is " + near[0]
	}
	return problem(lifecycle.Invalid, c.at(configFile), fmt.Sprintf("the installed vLLM does not know the architecture %s", archs[0]), hint)
}

// parallel holds the number of heads against tensor_parallel_size.
func (c *check) parallel(cfg modelConfig) error {
	given, ok := driver.Number(c.spec.Kwargs["tensor_parallel_size"])
	tp, heads, kv := int(given), cfg.heads(), cfg.kvHeads()
	if !ok || tp <= 1 || heads <= 0 {
		return nil
	}
	if heads%tp != 0 {
		return invalidKwarg("tensor_parallel_size", fmt.Sprintf("%d does not divide the model's %d attention heads", tp, heads),
			"choose one of "+joinInts(divisors(heads, tp)))
	}
	if _, latent := cfg.text["kv_lora_rank"]; kv > 0 && !latent && kv%tp != 0 && tp%kv != 0 {
		return invalidKwarg("tensor_parallel_size", fmt.Sprintf("the model's %d key-value heads neither divide by %d nor divide it", kv, tp),
			"choose one of "+joinInts(divisors(kv, tp)))
	}
	return nil
}

// divisors lists those of n up to twice the size that was wanted.
func divisors(n, wanted int) []int {
	var list []int
	for d := 1; d <= min(n, 2*wanted); d++ {
		if n%d == 0 {
			list = append(list, d)
		}
	}
	return list
}

func joinInts(list []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ", "), "[]")
}

// length holds max_model_len against the positions that the model knows.
func (c *check) length(cfg modelConfig) error {
	given, set := c.spec.Kwargs["max_model_len"]
	if !set || given == nil || text(given) == "auto" {
		return nil
	}
	want, ok := humanInt(given)
	if !ok || want < -1 || want == 0 {
		return invalidKwarg("max_model_len", fmt.Sprintf("%v is no length", given), "give a count of tokens such as 8192, or -1 for as many as fit")
	}
	derived, key := cfg.derivedLen()
	longer, _ := cfg.text["model_max_length"].(float64) // absent is 0
	if key == "" || float64(want) <= derived || float64(want) <= longer || c.allowsLong() {
		return nil
	}
	return invalidKwarg("max_model_len", fmt.Sprintf("%d is more than the model's %d (%s in config.json)", want, int64(derived), key),
		fmt.Sprintf("set max_model_len to %d or less; VLLM_ALLOW_LONG_MAX_MODEL_LEN=1 in env_vars overrides, at the risk of noise", int64(derived)))
}

func (c *check) allowsLong() bool {
	v := strings.ToLower(strings.TrimSpace(c.spec.Env["VLLM_ALLOW_LONG_MAX_MODEL_LEN"]))
	return v == "1" || v == "true"
}

// code finds the files that auto_map names, which a download may have left out.
func (c *check) code(cfg modelConfig) error {
	refs, ok := cfg.top["auto_map"].(map[string]any)
	if !ok || !truthy(c.spec.Kwargs["trust_remote_code"]) {
		return nil
	}
	var missing []string
	for _, ref := range refs {
		module, _, isRef := strings.Cut(text(ref), ".")
		if !isRef || strings.Contains(module, "--") || slices.Contains(missing, module+".py") {
			continue // "org/name--module.Class" lies in another repository
		}
		if _, err := os.Stat(c.at(module + ".py")); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, module+".py")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return problem(lifecycle.MissingFile, c.at(missing[0]), "auto_map in config.json names "+strings.Join(missing, ", ")+", which the folder lacks",
		"fetch the model's *.py files too")
}

// files holds tokenizer and weights against what vLLM reads.
func (c *check) files() error {
	if !isDir(c.spec.Dir) {
		return nil // model has said so
	}
	var weights error
	switch format := loadFormat(c.spec.Kwargs); {
	case c.spec.Weights != nil, format == "dummy":
	case isSharded(format):
		weights = c.shardsOfRanks()
	default:
		weights = checkWeights(c.spec.Dir, format)
	}
	return errors.Join(c.tokenizer(), weights)
}

// tokenizerFiles are those of which a model has at least one; patterns.
var tokenizerFiles = []string{
	"tokenizer.json", "tokenizer.model*", "*.model", "vocab.json", "vocab.txt", "tekken.json", "*.tiktoken", "tokenization_*.py",
	"tokenizer_file.*", "preprocessor_config.json",
}

func (c *check) tokenizer() error {
	dir := c.spec.Dir
	if truthy(c.spec.Kwargs["skip_tokenizer_init"]) {
		return nil
	}
	if other := text(c.spec.Kwargs["tokenizer"]); other != "" {
		if !filepath.IsAbs(other) {
			return nil // at the hub
		}
		dir = other
	}
	for _, pattern := range tokenizerFiles {
		if found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), pattern)); len(found) > 0 { // the pattern is well-formed
			return c.tokenizerWhole(filepath.Join(dir, "tokenizer.json"))
		}
	}
	return problem(lifecycle.MissingFile, filepath.Join(dir, "tokenizer.json"), "the model has no tokenizer",
		"add the model's tokenizer.json and tokenizer_config.json, or name another tokenizer in engine_kwargs.tokenizer")
}

// tokenizerWhole looks at both ends of a tokenizer.json: parsing all of it would take
// longer than all other checks.
func (c *check) tokenizerWhole(path string) error {
	data, err := ends(path)
	if err != nil {
		return nil //nolint:nilerr // another file is the tokenizer
	}
	if strings.HasPrefix(data, "{") && strings.HasSuffix(data, "}") {
		return nil
	}
	what := "it does not begin and end as JSON does: the file is cut"
	if strings.HasPrefix(data, "version https://git-lfs") {
		what = "it is a Git LFS pointer, not the file itself"
	}
	return problem(lifecycle.Corrupt, path, what, "fetch the file again")
}

// ends returns the first and last bytes of a file, without the space around them.
func ends(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // a file of the model
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	head, tail := make([]byte, min(64, info.Size())), make([]byte, min(64, info.Size()))
	if _, err := f.ReadAt(head, 0); err != nil {
		return "", err
	}
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return "", err
	}
	return strings.TrimLeft(string(head), " \r\n\t") + strings.TrimRight(string(tail), " \r\n\t"), nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(dir)
}
