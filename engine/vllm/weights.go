package vllm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/spinup-llm/spinup/lifecycle"
)

const weightsHint = "put the model's *.safetensors files into the folder"

// mistralWeights are the files of Mistral's own format.
const mistralWeights = "consolidated*.safetensors"

// weightPatterns are what a load format reads, the first that matches; other formats are
// not for us to judge.
var weightPatterns = map[string][]string{
	"":                       {"*.safetensors", "*.bin", "*.pt"},
	"auto":                   {"*.safetensors", "*.bin", "*.pt"},
	"hf":                     {"*.safetensors", "*.bin", "*.pt"},
	"safetensors":            {"*.safetensors"},
	"fastsafetensors":        {"*.safetensors"},
	"instanttensor":          {"*.safetensors"},
	"runai_streamer":         {"*.safetensors"},
	"runai_streamer_sharded": {"*.safetensors"},
	"sharded_state":          {"*.safetensors"},
	"mistral":                {mistralWeights},
	"pt":                     {"*.pt"},
	"npcache":                {"*.bin"},
}

// checkWeights reads every header of the weights in dir: files that the index names and
// that are not there, cut files, pointers in place of files. One error per file.
func checkWeights(dir, format string) error {
	files, index, judged := weightFiles(dir, format)
	if !judged {
		return nil
	}
	missing := missingShards(dir, index, files)
	if len(files) == 0 && missing == nil {
		return problem(lifecycle.MissingFile, dir, "the folder has no weights: no "+strings.Join(weightPatterns[format], " or "), weightsHint)
	}
	problems := []error{missing}
	for _, file := range files {
		if filepath.Ext(file) != ".safetensors" {
			continue
		}
		if err := checkHeader(file); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// weightFiles lists the files that vLLM reads, which index it holds them against, "" for none, and whether
// their kind is known here. As vLLM has it, Mistral's format comes first, and of other files that are there
// only those count that the index names.
func weightFiles(dir, format string) (files []string, index string, judged bool) {
	matches := func(pattern string) []string {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), pattern)) // the pattern is well-formed
		return found
	}
	if len(matches("*.gguf")) > 0 {
		return nil, "", false
	}
	if (format == "" || format == "auto") && len(matches(mistralWeights)) > 0 {
		format = "mistral"
	}
	patterns, judged := weightPatterns[format]
	for _, pattern := range patterns {
		if files = matches(pattern); len(files) > 0 {
			break
		}
	}
	switch {
	case format == "mistral":
		index = "consolidated.safetensors.index.json"
	case len(files) > 0 && filepath.Ext(files[0]) == ".safetensors", len(files) == 0 && slices.Contains(patterns, "*.safetensors"):
		index = "model.safetensors.index.json"
	}
	named, _ := indexedShards(dir, index) // what is wrong with it is told by missingShards
	if named != nil {
		files = slices.DeleteFunc(files, func(f string) bool { return !slices.Contains(named, filepath.Base(f)) })
	}
	return files, index, judged
}

// weightBytes is how much the weights take on disk.
func weightBytes(spec engine.Spec) int64 {
	if spec.Dir == "" || spec.Weights != nil {
		return 0
	}
	files, _, _ := weightFiles(spec.Dir, loadFormat(spec.Kwargs))
	var sum int64
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

// checkHeader reads the header of one file and nothing more.
func checkHeader(path string) error {
	f, err := os.Open(path) //nolint:gosec // a file of the model
	if err != nil {
		kind, hint := lifecycle.MissingFile, "fetch the file again"
		if errors.Is(err, fs.ErrPermission) {
			kind, hint = lifecycle.AccessDenied, "make the model's files readable for this user"
		}
		return problem(kind, path, err.Error(), hint)
	}
	defer func() { _ = f.Close() }()
	if err := readHeader(f); err != nil {
		return problem(lifecycle.Corrupt, path, err.Error(), "remove the file and fetch it again")
	}
	return nil
}

func readHeader(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	first := make([]byte, min(8, info.Size()))
	if _, err = io.ReadFull(f, first); err != nil {
		return err
	}
	n, err := safetensors.HeaderLen(first, info.Size())
	if err != nil {
		return err
	}
	header := make([]byte, n)
	if _, err = io.ReadFull(f, header); err != nil {
		return err
	}
	_, err = safetensors.Parse(header, info.Size())
	return err
}

// shardName matches the files of a model in several: 00002 of 00004.
var shardName = regexp.MustCompile(`^(.*-)(\d{5})-of-(\d{5})(\.safetensors|\.bin)$`)

// missingShards names what the index lists and the folder lacks; without an index, what
// the names of the other shards promise.
func missingShards(dir, index string, files []string) error {
	wanted, err := indexedShards(dir, index)
	if err != nil {
		return err
	}
	if wanted == nil {
		wanted, index = promisedShards(files), "the other shards' names"
	}
	var missing []string
	for _, name := range wanted {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	what := fmt.Sprintf("%d of %d weight files are missing", len(missing), len(wanted))
	if len(missing) > 1 {
		what += fmt.Sprintf(", from %s to %s", missing[0], missing[len(missing)-1])
	}
	return problem(lifecycle.MissingFile, filepath.Join(dir, missing[0]), what, "fetch them: "+index+" names them")
}

// indexedShards returns nil when there is no index.
func indexedShards(dir, index string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(dir, index)) //nolint:gosec // a file of the model
	if index == "" || err != nil {
		return nil, nil //nolint:nilerr // a model in one file has none
	}
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, problem(lifecycle.Corrupt, filepath.Join(dir, index), "it is not valid JSON: "+jsonProblem(err), "fetch the file again")
	}
	set := map[string]bool{}
	for _, name := range content.WeightMap {
		set[name] = true
	}
	return slices.Sorted(maps.Keys(set)), nil
}

func promisedShards(files []string) []string {
	set := map[string]bool{}
	for _, file := range files {
		m := shardName.FindStringSubmatch(filepath.Base(file))
		if m == nil {
			continue
		}
		of, err := strconv.Atoi(m[3])
		if err != nil || of > 10_000 {
			continue
		}
		for i := 1; i <= of; i++ {
			set[fmt.Sprintf("%s%05d-of-%s%s", m[1], i, m[3], m[4])] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
