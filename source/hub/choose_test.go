package hub_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// published makes a model of the names, with an index of the shards where one is named.
func published(t *testing.T, names string, shards ...string) *hubtest.Hub {
	t.Helper()
	h := hubtest.New(t)
	for name := range strings.FieldsSeq(names) {
		data := []byte(name)
		if name == "model.safetensors.index.json" {
			data = indexOf(shards)
		}
		h.Put(id, name, data)
	}
	return h
}

func indexOf(shards []string) []byte {
	var weights []string
	for i, s := range shards {
		weights = append(weights, fmt.Sprintf("%q:%q", fmt.Sprint("w", i), s))
	}
	return []byte(`{"metadata":{},"weight_map":{` + strings.Join(weights, ",") + `}}`)
}

func TestForEngine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		has, want string
		shards    []string
		reads     int // requests for the bytes of the index
	}{
		"one file": {
			has:  "config.json model.safetensors pytorch_model.bin tf_model.h5 flax_model.msgpack rust_model.ot onnx/model.onnx onnx/config.json README.md .gitattributes figures/a.png",
			want: ".gitattributes README.md config.json model.safetensors onnx/config.json",
		},
		"llama 3": {
			has:  "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json original/consolidated.00.pth original/params.json original/tokenizer.model tokenizer.json USE_POLICY.md",
			want: "USE_POLICY.md config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json tokenizer.json",
		},
		"mistral": {
			has:  "config.json params.json consolidated.safetensors tekken.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json consolidated.safetensors.index.json",
			want: "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json params.json tekken.json",
		},
		"mistral alone": {
			has:  "params.json consolidated-00001-of-00002.safetensors consolidated-00002-of-00002.safetensors consolidated.safetensors.index.json tekken.json",
			want: "consolidated-00001-of-00002.safetensors consolidated-00002-of-00002.safetensors consolidated.safetensors.index.json params.json tekken.json",
		},
		"stray shards": {
			has:    "config.json model.safetensors model-00001-of-00002.safetensors model-00002-of-00002.safetensors old-00001-of-00001.safetensors model.safetensors.index.json",
			want:   "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json",
			shards: []string{"model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors", "model-00001-of-00002.safetensors"}, reads: 1,
		},
		"no index": {
			has:  "config.json a.safetensors b.safetensors sub/c.safetensors",
			want: "a.safetensors b.safetensors config.json",
		},
		"training": {
			has:  "config.json pytorch_model.bin pytorch_model.bin.index.json training_args.bin optimizer.pt scheduler.pt rng_state_0.pth checkpoint-10/pytorch_model.bin checkpoint-10/config.json",
			want: "config.json pytorch_model.bin pytorch_model.bin.index.json",
		},
		"only training": {
			has:  "config.json training_args.bin runs/optimizer.pt",
			want: "config.json",
		},
		"second index": {
			has:  "config.json model.safetensors pytorch_model.bin.index.json pytorch_model-00001-of-00001.bin tf_model.h5.index.json",
			want: "config.json model.safetensors",
		},
		"quantized": {
			has:  "README.md model-Q4.gguf model-Q8.gguf imatrix.png",
			want: "README.md model-Q4.gguf model-Q8.gguf",
		},
		"sentences": {
			has:  "modules.json 1_Pooling/config.json 2_Dense/model.safetensors 2_Dense/pytorch_model.bin model.safetensors openvino/model.safetensors",
			want: "1_Pooling/config.json 2_Dense/model.safetensors model.safetensors modules.json",
		},
		"parts": {
			has:  "model_index.json unet/model.safetensors unet/model.bin vae/model.safetensors",
			want: "model_index.json unet/model.safetensors vae/model.safetensors",
		},
		"adapter": {
			has:  "adapter_config.json adapter_model.safetensors adapter_model.bin",
			want: "adapter_config.json adapter_model.safetensors",
		},
		"tokenizer": {has: "tokenizer.json tokenizer.model", want: "tokenizer.json tokenizer.model"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := published(t, c.has, c.shards...)
			m := resolve(t, open(t, "hf://acme/tiny", h.Env()))
			require.Equal(t, strings.Fields(c.want), pathsOf(m))
			require.Equal(t, c.reads, count(h, false, "/resolve/"))
		})
	}
}

func TestAllowAndIgnore(t *testing.T) {
	t.Parallel()
	h := published(t, "config.json model.safetensors pytorch_model.bin original/params.json a.png")
	for name, c := range map[string]struct {
		o    hub.Options
		want string
	}{
		"all":           {hub.Options{AllowPatterns: []string{"*"}}, "a.png config.json model.safetensors original/params.json pytorch_model.bin"},
		"some":          {hub.Options{AllowPatterns: []string{"*.bin", "original/"}}, "original/params.json pytorch_model.bin"},
		"not":           {hub.Options{AllowPatterns: []string{"*"}, IgnorePatterns: []string{"*.json", "a.*"}}, "model.safetensors pytorch_model.bin"},
		"second format": {hub.Options{IgnorePatterns: []string{"*.safetensors"}}, "config.json pytorch_model.bin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, strings.Fields(c.want), pathsOf(resolve(t, openWith(t, "hf://acme/tiny", h.Env(), &c.o))))
		})
	}
	_, err := openWith(t, "hf://acme/tiny", h.Env(), &hub.Options{AllowPatterns: []string{"*.gguf"}}).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "of its 5 files none is wanted")
}

// An index that cannot be read is not passed over.
func TestBrokenIndex(t *testing.T) {
	t.Parallel()
	for _, index := range []string{"", "null", "[]", "{}", `{"weight_map":{}}`, `{"weight_map":[1]}`} {
		h := published(t, "model.safetensors other.safetensors")
		h.Put(id, "model.safetensors.index.json", []byte(index))
		_, err := open(t, "hf://acme/tiny", h.Env()).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Corrupt, index)
		require.ErrorContains(t, err, "hf://acme/tiny/model.safetensors.index.json")
	}
}

// An engine that is told the form of its weights gets those, and no other copy.
func TestForFormat(t *testing.T) {
	t.Parallel()
	const has = "config.json params.json tekken.json consolidated.safetensors consolidated.safetensors.index.json " +
		"model-00001-of-00001.safetensors model.safetensors.index.json pytorch_model.bin pytorch_model.bin.index.json training_args.bin a.pt optimizer.pt x.png"
	var files []source.File
	for name := range strings.FieldsSeq(has) {
		files = append(files, source.File{Path: name, Size: 1})
	}
	m, err := source.NewManifest("hf://a/b", "", files)
	require.NoError(t, err)
	for format, want := range map[string]string{
		"mistral": "config.json consolidated.safetensors consolidated.safetensors.index.json params.json tekken.json",
		"pt":      "a.pt config.json params.json tekken.json",
		"npcache": "config.json params.json pytorch_model.bin tekken.json",
	} {
		var got []string
		for _, f := range m.Filter(hub.ForFormat(m, format)).Files {
			got = append(got, f.Path)
		}
		require.Equal(t, want, strings.Join(got, " "), format)
	}
	require.Nil(t, hub.ForFormat(m, "auto"))
	only, err := source.NewManifest("hf://a/b", "", files[:1])
	require.NoError(t, err)
	require.Nil(t, hub.ForFormat(only, "mistral"), "what the usual choice makes of it is told by the check")
}
