package hub

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// formats are those of weights, the best first. Engines read one of them.
var formats = []string{".safetensors", ".bin", ".pt", ".pth", ".gguf"}

// others are weights that no engine here reads.
var others = []string{".h5", ".msgpack", ".onnx", ".onnx_data", ".ot", ".tflite", ".ckpt", ".mlmodel", ".pb"}

// media explain a model to people.
var media = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".mp4", ".mov", ".wav", ".mp3", ".pdf"}

var (
	consolidated = regexp.MustCompile(`^consolidated[.\w-]*\.(safetensors|pth|safetensors\.index\.json)$`)
	training     = regexp.MustCompile(`^(training_args\.bin|(optimizer|scheduler|scaler|rng_state|random_states)[\w.-]*\.(bin|pt|pth|pkl|safetensors))$`)
	checkpoints  = regexp.MustCompile(`^(original|(checkpoint-|global_step)\d+)/`)
	modules      = regexp.MustCompile(`^\d+_\w+/[^/]+$`) // of a sentence-transformers model
	otherIndex   = regexp.MustCompile(`\.(bin|h5|msgpack)\.index(\.\w+)?\.json$`)
)

// ForEngine returns which files of m an engine needs: all that are no weights and no media,
// and the weights of one format, the first that m has of safetensors, bin, pt, pth and gguf.
// Of safetensors these are the shards, as the index names them, or where shards is nil all in
// the top folder. Left out are:
//
//   - weights of other formats, and their indexes
//   - consolidated* (Mistral's format), original/ and subfolders with copies of the weights
//   - states of a training: training_args.bin, optimizer*, checkpoint-N/ …
//
// A model with no weights in the top folder keeps those of its subfolders.
func ForEngine(m *source.Manifest, shards []string) func(source.File) bool {
	format := bestFormat(m)
	hasMain := slices.ContainsFunc(m.Files, isMain(format))
	return func(f source.File) bool {
		ext := formatOf(f.Path)
		switch {
		case slices.Contains(media, ext) || training.MatchString(path.Base(f.Path)):
			return false
		case format == "":
			return true
		case !hasMain:
			return !isWeights(ext) || ext == format
		case checkpoints.MatchString(f.Path) || consolidated.MatchString(f.Path):
			return false
		case format == ".safetensors" && otherIndex.MatchString(f.Path):
			return false
		case !isWeights(ext):
			return true
		case ext != format:
			return false
		case modules.MatchString(f.Path):
			return true
		case strings.Contains(f.Path, "/"):
			return false
		default:
			return format != ".safetensors" || shards == nil || slices.Contains(shards, f.Path)
		}
	}
}

// oneFormat holds the weights that an engine reads which is told to, by vLLM's names of formats.
var oneFormat = map[string]*regexp.Regexp{
	"mistral": consolidated,
	"pt":      regexp.MustCompile(`^[^/]+\.pt$`),
	"npcache": regexp.MustCompile(`^[^/]+\.bin$`),
}

// ForFormat is ForEngine for an engine that is told the form of its weights, as vLLM's load_format has it:
// "mistral" is consolidated*, "pt" *.pt and "npcache" *.bin. Of other formats it is nil, and of a model that
// has no such weights.
func ForFormat(m *source.Manifest, format string) func(source.File) bool {
	wanted := oneFormat[format]
	isWanted := func(f source.File) bool {
		return wanted.MatchString(f.Path) && !training.MatchString(path.Base(f.Path))
	}
	if wanted == nil || !slices.ContainsFunc(m.Files, isWanted) {
		return nil
	}
	return func(f source.File) bool {
		ext := formatOf(f.Path)
		switch {
		case slices.Contains(media, ext) || training.MatchString(path.Base(f.Path)) || checkpoints.MatchString(f.Path):
			return false
		case isWeights(ext) || strings.HasSuffix(f.Path, ".index.json"):
			return isWanted(f)
		default:
			return true
		}
	}
}

func formatOf(name string) string { return strings.ToLower(path.Ext(name)) }

func isWeights(ext string) bool { return slices.Contains(formats, ext) || slices.Contains(others, ext) }

// isMain reports of a file whether it is weights of the format in the top folder that are
// not a second copy.
func isMain(format string) func(source.File) bool {
	return func(f source.File) bool {
		return formatOf(f.Path) == format && !strings.Contains(f.Path, "/") &&
			!training.MatchString(f.Path) && !consolidated.MatchString(f.Path)
	}
}

// bestFormat returns the format that an engine takes first: of the top folder where that has
// weights, else of any; "" when there are none.
func bestFormat(m *source.Manifest) string {
	for _, format := range formats {
		if slices.ContainsFunc(m.Files, isMain(format)) {
			return format
		}
	}
	for _, format := range formats {
		if slices.ContainsFunc(m.Files, func(f source.File) bool {
			return formatOf(f.Path) == format && !training.MatchString(path.Base(f.Path))
		}) {
			return format
		}
	}
	return ""
}
