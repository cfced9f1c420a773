package llamacpp

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// companions are the options that name further files, beside the model's.
var companions = []string{
	"mmproj", "model_draft", "spec_draft_model", "lora", "control_vector", "chat_template_file", "grammar_file",
}

var splitName = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})\.gguf$`)

// split takes the name of a part of a model in several files apart; another is the one part of its own.
func split(name string) (stem string, no, count int, ok bool) {
	p := splitName.FindStringSubmatch(name)
	if p == nil {
		return name, 1, 1, false
	}
	no, _ = strconv.Atoi(p[2])    // five digits
	count, _ = strconv.Atoi(p[3]) // the same
	if no < 1 || no > count {
		return name, 1, 1, false
	}
	return p[1], no, count, true
}

func partName(stem string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", stem, no, count)
}

// modelOf is the file that names the model which a file is part of.
func modelOf(name string) string {
	if stem, _, count, ok := split(name); ok {
		return partName(stem, 1, count)
	}
	return name
}

// choose returns the files of the model that spec asks for, the one to be named first.
// Errors: MissingFile, or Invalid where the choice is not clear.
func choose(names []string, spec engine.Spec) ([]string, error) {
	wanted, _ := driver.Plain(spec.Kwargs["model_file"]).(string)
	others := companionsOf(spec)
	var models, chosen []string
	for _, name := range names {
		if path.Ext(name) != ".gguf" || slices.Contains(others, name) || strings.HasPrefix(path.Base(name), "mmproj") {
			continue
		}
		models = append(models, modelOf(name))
		if matches(wanted, name) {
			chosen = append(chosen, modelOf(name))
		}
	}
	slices.Sort(models)
	slices.Sort(chosen)
	models, chosen = slices.Compact(models), slices.Compact(chosen)
	switch {
	case len(models) == 0:
		return nil, missing(spec, "*.gguf", errors.New("there is no GGUF file"),
			"give a model that was converted to GGUF: llama.cpp reads nothing else; or use llm_engine: vLLM")
	case len(chosen) == 0:
		return nil, invalid("model_file", fmt.Sprintf("no file matches %q", wanted), nearest.Hint(wanted, models))
	case len(chosen) > 1 && wanted == "":
		return nil, invalid("model_file", fmt.Sprintf("there are %d models", len(chosen)), "choose one by its name or a pattern, such as "+
			strconv.Quote("*Q4_K_M*")+": "+nearest.Hint("", chosen))
	case len(chosen) > 1:
		return nil, invalid("model_file", fmt.Sprintf("%d models match %q", len(chosen), wanted), nearest.Hint("", chosen))
	}
	return parts(names, spec, chosen[0])
}

// matches reports whether name is what the user wants, which may be a pattern.
func matches(wanted, name string) bool {
	if wanted == "" {
		return true
	}
	whole, _ := path.Match(wanted, name)           // a malformed pattern matches nothing
	base, _ := path.Match(wanted, path.Base(name)) // the same
	return whole || base || wanted == name || wanted == path.Base(name)
}

// parts returns all files of a model, and misses those that are not there.
func parts(names []string, spec engine.Spec, model string) ([]string, error) {
	stem, _, total, ok := split(model)
	if !ok {
		return []string{model}, nil
	}
	var files []string
	var gone []error
	for i := range total {
		name := partName(stem, i+1, total)
		files = append(files, name)
		if !slices.Contains(names, name) && len(gone) < 20 {
			gone = append(gone, missing(spec, name, fmt.Errorf("one of %d files of the model", total), "upload or download that file again"))
		}
	}
	return files, errors.Join(gone...)
}

func missing(spec engine.Spec, name string, err error, hint string) error {
	return &lifecycle.Error{
		Op: "llamacpp.Check", Kind: lifecycle.MissingFile, Target: strings.TrimSuffix(spec.Dir, "/") + "/" + name, Err: err, Hint: hint,
	}
}

// companionsOf returns the relative names of further files that spec asks for.
func companionsOf(spec engine.Spec) []string {
	var names []string
	for _, option := range companions {
		for _, name := range companionNames(driver.Plain(spec.Kwargs[option])) {
			if name != "" && !filepath.IsAbs(name) {
				names = append(names, path.Clean(filepath.ToSlash(name)))
			}
		}
	}
	return names
}

// companionNames are the files of a value: one, a list, or several joined by commas. flags
// refuses what is neither.
func companionNames(value any) (names []string) {
	switch v := value.(type) {
	case string:
		return strings.Split(v, ",")
	case []any:
		for _, e := range v {
			names = append(names, companionNames(e)...)
		}
	}
	return names
}

// inFolder makes the files that words name for an option some of the model's folder.
func inFolder(spec engine.Spec, name string, words []string) []string {
	if len(words) != 2 || !slices.Contains(companions, name) {
		return words
	}
	files := strings.Split(words[1], ",")
	for i, file := range files {
		if !filepath.IsAbs(file) {
			files[i] = filepath.Join(spec.Dir, file)
		}
	}
	return []string{words[0], strings.Join(files, ",")}
}

func chooseFiles(spec engine.Spec, m *source.Manifest) (*source.Manifest, error) {
	names := make([]string, len(m.Files))
	for i, f := range m.Files {
		names[i] = f.Path
	}
	spec.Dir = m.URI
	chosen, err := choose(names, spec)
	if err != nil {
		return nil, err
	}
	for _, name := range companionsOf(spec) {
		if !slices.Contains(names, name) {
			return nil, missing(spec, name, errors.New("engine_kwargs names it"), nearest.Hint(name, names))
		}
		chosen = append(chosen, name)
	}
	return m.Filter(func(f source.File) bool { return slices.Contains(chosen, f.Path) }), nil
}

// listing returns the files below dir, in slashes. What cannot be read is not there.
func listing(dir string) []string {
	var names []string
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer func() { _ = root.Close() }()
	_ = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	return names
}
