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
	"mistral":                {"consolidated*.safetensors"},
	"pt":                     {"*.pt"},
	"npcache":                {"*.bin"},
}

// checkWeights reads every header of the weights in dir: files that the index names and
// that are not there, cut files, pointers in place of files. One error per file.
func checkWeights(dir, format string) error {
	files, judged := weightFiles(dir, format)
	if !judged {
		return nil
	}
	missing := missingShards(dir, files)
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

// weightFiles lists the files that vLLM reads, and whether their kind is known here.
func weightFiles(dir, format string) (files []string, judged bool) {
	patterns, judged := weightPatterns[format]
	if others, _ := filepath.Glob(filepath.Join(escapeGlob(dir), "*.gguf")); len(others) > 0 { // the pattern is well-formed
		return nil, false
	}
	for _, pattern := range patterns {
		files, _ = filepath.Glob(filepath.Join(escapeGlob(dir), pattern)) // the pattern is well-formed
		if len(files) > 0 {
			break
		}
	}
	return files, judged
}

// weightBytes is how much the weights take on disk.
func weightBytes(spec engine.Spec) int64 {
	if spec.Dir == "" || spec.Weights != nil {
		return 0
	}
	files, _ := weightFiles(spec.Dir, text(spec.Kwargs["load_format"]))
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
func missingShards(dir string, files []string) error {
	wanted, index, err := indexedShards(dir)
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
func indexedShards(dir string) (names []string, index string, err error) {
	index = "model.safetensors.index.json"
	data, err := os.ReadFile(filepath.Join(dir, index)) //nolint:gosec // a file of the model
	if err != nil {
		return nil, "", nil //nolint:nilerr // a model in one file has none
	}
	var content struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &content); err != nil {
		return nil, "", problem(lifecycle.Corrupt, filepath.Join(dir, index), "it is not valid JSON: "+jsonProblem(err), "fetch the file again")
	}
	set := map[string]bool{}
	for _, name := range content.WeightMap {
		set[name] = true
	}
	return slices.Sorted(maps.Keys(set)), index, nil
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
