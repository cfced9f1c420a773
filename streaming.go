package spinup

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/engine"
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

// weights returns the bucket that the engine reads the weights of man from itself, or nil.
func (m *model) weights(man *source.Manifest) *url.URL {
	format := m.cfg.EngineKwargs.LoadFormat
	scheme, rest, ok := strings.Cut(man.URI, "://")
	if !ok || m.opts.StreamThroughHost || !slices.Contains(streamed[format], scheme) {
		return nil
	}
	bucket, folder, _ := strings.Cut(rest, "/")
	u := &url.URL{Scheme: scheme, Host: bucket, Path: "/" + folder}
	if strings.HasPrefix(strings.ToLower(m.source()), scheme+"://anonymous@") {
		if format == streamerSharded { // it signs its requests
			return nil
		}
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

// toFetch returns what of man is fetched before the engine starts, and notes where the engine
// reads the rest.
func (s *startup) toFetch(span lifecycle.Scope, man *source.Manifest, entry *shared) (*source.Manifest, error) {
	small := man.Filter(func(f source.File) bool { return !isWeights(f) })
	if streamed[s.cfg.EngineKwargs.LoadFormat] == nil {
		return man, nil
	}
	if s.state.Spec.Weights = s.weights(man); s.state.Spec.Weights != nil {
		return small, s.leave(span, man)
	}
	if why := s.noStore(); why != nil {
		span.Progress(0, man.Size(), fmt.Sprintf("the model is fetched before the engine reads it: %v", why))
		return man, nil
	}
	entry.streams = true
	return small, nil
}

// noStore says why the engine cannot read the weights from this host while they arrive.
func (s *startup) noStore() error {
	if s.state.Dir != "" {
		return errors.New("a callback has chosen its folder")
	}
	reader, ok := s.engine.(engine.StoreReader)
	if !ok {
		return errors.New("the engine has no way to read it earlier")
	}
	return reader.ReadsStore(s.state.Spec)
}

// leave tells which weights stay in their bucket. It refuses files without an ETag, which the
// streamer fails on with "File access error".
func (s *startup) leave(span lifecycle.Scope, man *source.Manifest) error {
	left := man.Filter(isWeights)
	for _, f := range left.Files {
		if f.Version == "" && path.Ext(f.Path) == ".safetensors" {
			return &lifecycle.Error{
				Op: "spinup.stream", Kind: lifecycle.Invalid, Target: man.URI + "/" + f.Path,
				Err:  errors.New("the server gives no ETag for it, which the streamer needs"),
				Hint: "upload the file through S3 instead of copying it into the server's folder, or leave load_format out",
			}
		}
	}
	span.Progress(0, man.Size()-left.Size(), fmt.Sprintf("%s streams %d weight files, %.2f GB, from %s, and reads the small files once more itself",
		s.engine.Name(), len(left.Files), float64(left.Size())/1e9, man.URI))
	return nil
}
