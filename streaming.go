package spinup

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// The load formats with which the engine reads the weights itself.
const (
	streamer        = "runai_streamer"
	streamerSharded = "runai_streamer_sharded"
)

// streamed are the buckets that each of them reads in place. Of other sources everything
// is fetched, and the engine streams from the directory.
var streamed = map[string][]string{
	streamer:        {"s3", "gs"},
	streamerSharded: {"s3"},
}

// weights returns where the engine reads the weights of man itself, or nil where they are
// to be fetched.
func (m *model) weights(man *source.Manifest) *url.URL {
	scheme, rest, ok := strings.Cut(man.URI, "://")
	if !ok || !slices.Contains(streamed[m.cfg.EngineKwargs.LoadFormat], scheme) {
		return nil
	}
	bucket, folder, _ := strings.Cut(rest, "/")
	u := &url.URL{Scheme: scheme, Host: bucket, Path: "/" + folder}
	if strings.HasPrefix(strings.ToLower(m.source()), scheme+"://anonymous@") {
		u.User = url.User("anonymous")
	}
	return u
}

// ranks is how a checkpoint that is saved by rank has to be saved; nil for all others.
func (m *model) ranks() *source.Ranks {
	k := m.cfg.EngineKwargs
	if k.LoadFormat != streamerSharded && k.LoadFormat != "sharded_state" {
		return nil
	}
	extra, _ := k.Extra["model_loader_extra_config"].(map[string]any)
	pattern, _ := extra["pattern"].(string)
	return &source.Ranks{Pattern: pattern, Tensor: k.TensorParallelSize, Pipeline: k.PipelineParallelSize}
}

// weightFormats end the names of files that hold weights, of any engine.
var weightFormats = []string{
	".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack", ".tensors", ".npz",
}

func isWeights(f source.File) bool { return slices.Contains(weightFormats, path.Ext(f.Path)) }

// toFetch returns what of man is fetched, and notes where the engine reads the rest itself.
// It refuses files without an ETag, which the streamer fails on with "File access error".
func (s *startup) toFetch(span lifecycle.Scope, man *source.Manifest) (*source.Manifest, error) {
	format := s.cfg.EngineKwargs.LoadFormat
	from := s.weights(man)
	if s.state.Spec.Weights = from; from == nil {
		if known := streamed[format]; known != nil {
			span.Progress(0, man.Size(), fmt.Sprintf("%s reads buckets (%s) and directories: this source is fetched first",
				format, strings.Join(known, ", ")))
		}
		return man, nil
	}
	left := man.Filter(isWeights)
	for _, f := range left.Files {
		if f.Version == "" && path.Ext(f.Path) == ".safetensors" {
			return nil, &lifecycle.Error{
				Op: "spinup.stream", Kind: lifecycle.Invalid, Target: man.URI + "/" + f.Path,
				Err:  errors.New("the server gives no ETag for it, which the streamer needs"),
				Hint: "upload the file through S3 instead of copying it into the server's folder, or leave load_format out",
			}
		}
	}
	fetched := man.Filter(func(f source.File) bool { return !isWeights(f) })
	span.Progress(0, fetched.Size(), fmt.Sprintf("%s streams %d weight files, %.2f GB, from %s, and reads the small files once more itself",
		s.engine.Name(), len(left.Files), float64(left.Size())/1e9, man.URI))
	return fetched, nil
}
