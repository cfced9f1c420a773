package source_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func model(tb testing.TB) memory {
	tb.Helper()
	return memory{
		"config.json":                      `{"architectures":["LlamaForCausalLM"]}`,
		"tokenizer.json":                   `{}`,
		"model.safetensors.index.json":     `{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}`,
		"model-00001-of-00002.safetensors": shard(tb, "a", 10),
		"model-00002-of-00002.safetensors": shard(tb, "b", 100_000),
		"original/params.json":             `not looked at`,
	}
}

func TestCheckModelAccepts(t *testing.T) {
	t.Parallel()
	whole := model(t)
	gguf := memory{"llama-q4.gguf": "GGUF"}
	mistral := memory{"params.json": `{}`, "tekken.json": `{}`, "consolidated.safetensors": shard(t, "a", 1)}
	bin := memory{"config.json": `{}`, "vocab.json": `{}`, "merges.txt": "", "pytorch_model.bin": "PK"}
	pth := memory{"config.json": `{}`, "tokenizer.model": "", "consolidated.00.pth": "PK"}
	extra := maps.Clone(whole)
	extra["consolidated.safetensors"] = "not named by the index, so not looked at"
	big := memory{"config.json": `{}`, "tokenizer.model.v3": "", "model.safetensors": largeHeader(t)}
	for name, m := range map[string]memory{
		"sharded": whole, "gguf": gguf, "mistral": mistral, "bin": bin, "pth": pth, "extra": extra, "large header": big,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, source.CheckModel(t.Context(), m, m.manifest(t), nil))
		})
	}
}

// largeHeader returns a file whose header does not fit into the first read.
func largeHeader(tb testing.TB) string {
	tb.Helper()
	entries := map[string]any{}
	for i := range 2000 {
		entries[fmt.Sprintf("model.layers.%d.weight", i)] = map[string]any{
			"dtype": "U8", "shape": []int{1}, "data_offsets": []int{i, i + 1},
		}
	}
	header, err := json.Marshal(entries)
	require.NoError(tb, err)
	require.Greater(tb, len(header), 64<<10)
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return string(append(append(out, header...), make([]byte, 2000)...))
}

func TestCheckModelReports(t *testing.T) {
	t.Parallel()
	const one, two, index = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"
	cut := shard(t, "b", 100_000)[:90_000]
	for name, c := range map[string]struct {
		change  map[string]string // "-" removes
		kind    lifecycle.Kind
		file    string
		message string
	}{
		"no config":             {map[string]string{"config.json": "-"}, lifecycle.MissingFile, "config.json", "a model is a folder with config.json"},
		"config in a folder":    {map[string]string{"config.json": "-", "8b/config.json": "{}"}, lifecycle.MissingFile, "config.json", "give the folder mem://model/8b"},
		"an adapter":            {map[string]string{"config.json": "-", "adapter_config.json": "{}"}, lifecycle.MissingFile, "config.json", "LoRA adapter"},
		"config is HTML":        {map[string]string{"config.json": "<html>"}, lifecycle.Corrupt, "config.json", "not JSON"},
		"config is cut":         {map[string]string{"config.json": `{"a":`}, lifecycle.Corrupt, "config.json", "at byte 5 of 5"},
		"config is empty":       {map[string]string{"config.json": ""}, lifecycle.Corrupt, "config.json", "not JSON"},
		"config is a list":      {map[string]string{"config.json": `[1]`}, lifecycle.Corrupt, "config.json", "another form"},
		"config is null":        {map[string]string{"config.json": `null`}, lifecycle.Corrupt, "config.json", "null"},
		"no tokenizer":          {map[string]string{"tokenizer.json": "-"}, lifecycle.MissingFile, "tokenizer.json", "no tokenizer"},
		"half a tokenizer":      {map[string]string{"tokenizer.json": "-", "vocab.json": "{}"}, lifecycle.MissingFile, "merges.txt", "without its merges.txt"},
		"the other half":        {map[string]string{"tokenizer.json": "-", "merges.txt": ""}, lifecycle.MissingFile, "vocab.json", "without its vocab.json"},
		"no weights":            {map[string]string{one: "-", two: "-", index: "-"}, lifecycle.MissingFile, "model.safetensors", "there are no weights"},
		"only training state":   {map[string]string{one: "-", two: "-", index: "-", "optimizer.bin": "x"}, lifecycle.MissingFile, "model.safetensors", "there are no weights"},
		"a shard is missing":    {map[string]string{two: "-"}, lifecycle.MissingFile, two, index + " names it"},
		"so without an index":   {map[string]string{two: "-", index: "-"}, lifecycle.MissingFile, two, "one of 2 shards: the name of " + one},
		"index is cut":          {map[string]string{index: `{"weight_map":{`}, lifecycle.Corrupt, index, "not JSON"},
		"index without a map":   {map[string]string{index: `{"metadata":{}}`}, lifecycle.Corrupt, index, "weight_map"},
		"index with a bad map":  {map[string]string{index: `{"weight_map":{"a":1}}`}, lifecycle.Corrupt, index, "weight_map"},
		"index leaves":          {map[string]string{index: `{"weight_map":{"a":"../x"}}`}, lifecycle.Corrupt, index, "no file of this model"},
		"shard is truncated":    {map[string]string{two: cut}, lifecycle.Corrupt, two, "truncated: 90000 of"},
		"shard has 3 bytes":     {map[string]string{two: "abc"}, lifecycle.Corrupt, two, "too few for a header"},
		"shard is empty":        {map[string]string{two: ""}, lifecycle.Corrupt, two, "too few for a header"},
		"shard ends in header":  {map[string]string{two: cut[:20]}, lifecycle.Corrupt, two, "truncated"},
		"shard is a pointer":    {map[string]string{two: "version https://git-lfs.github.com/spec/v1\n"}, lifecycle.Corrupt, two, "git lfs pull"},
		"config is a pointer":   {map[string]string{"config.json": "version https://git-lfs.github.com/spec/v1\n"}, lifecycle.Corrupt, "config.json", "git lfs pull"},
		"shard is a page":       {map[string]string{two: "<!DOCTYPE html><html>"}, lifecycle.Corrupt, two, "no safetensors file"},
		"shard has a long tail": {map[string]string{two: shard(t, "b", 5) + "tail"}, lifecycle.Corrupt, two, "belong to none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := model(t)
			for path, data := range c.change {
				m[path] = data
				if data == "-" {
					delete(m, path)
				}
			}
			err := source.CheckModel(t.Context(), m, m.manifest(t), nil)
			e, ok := errors.AsType[*lifecycle.Error](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, c.kind, e.Kind)
			require.Equal(t, "mem://model/"+c.file, e.Target)
			require.NotEmpty(t, e.Hint)
			require.ErrorContains(t, err, c.message)
		})
	}
}

// All that is wrong is told at once, in the order of the files.
func TestCheckModelJoins(t *testing.T) {
	t.Parallel()
	m := model(t)
	delete(m, "config.json")
	delete(m, "tokenizer.json")
	delete(m, "model-00001-of-00002.safetensors")
	m["model-00002-of-00002.safetensors"] = "nothing of the kind"
	var targets []string
	for e := range lifecycle.Errors(source.CheckModel(t.Context(), m, m.manifest(t), nil)) {
		targets = append(targets, strings.TrimPrefix(e.Target, "mem://model/"))
	}
	require.Equal(t, []string{
		"config.json", "tokenizer.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
	}, targets)
}

func TestCheckModelLeavesOut(t *testing.T) {
	t.Parallel()
	m := memory{"config.json": "{}"}
	require.NoError(t, source.CheckModel(t.Context(), m, m.manifest(t), &source.CheckOptions{NoTokenizer: true, NoWeights: true}))
	require.Error(t, source.CheckModel(t.Context(), m, m.manifest(t), &source.CheckOptions{NoTokenizer: true}))
	require.Error(t, source.CheckModel(t.Context(), m, m.manifest(t), &source.CheckOptions{NoWeights: true}))
}

// A name may promise 99,999 shards; the report stays readable.
func TestCheckModelBoundsTheReport(t *testing.T) {
	t.Parallel()
	m := memory{"config.json": "{}", "tokenizer.json": "{}", "m-00001-of-99999.safetensors": shard(t, "a", 1)}
	err := source.CheckModel(t.Context(), m, m.manifest(t), nil)
	require.ErrorContains(t, err, "and 99977 more are missing")
	require.Less(t, len(err.Error()), 10_000)
}

// counting notes how many bytes are asked for.
type counting struct {
	memory
	bytes atomic.Int64
}

func (c *counting) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	c.bytes.Add(n)
	return c.memory.Open(ctx, f, off, n)
}

// The tensors are not read: of each shard, no more than its header or 64 KiB.
func TestCheckModelReadsLittle(t *testing.T) {
	t.Parallel()
	m := model(t)
	m["model-00002-of-00002.safetensors"] = shard(t, "b", 10<<20)
	src := &counting{memory: m}
	require.NoError(t, source.CheckModel(t.Context(), src, m.manifest(t), nil))
	require.Less(t, src.bytes.Load(), int64(70<<10))
}

func TestCheckModelCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := model(t)
	require.ErrorIs(t, source.CheckModel(ctx, m, m.manifest(t), nil), lifecycle.Canceled)
}

// Mistral's repositories have two copies of the weights, of which an engine reads one.
func TestCheckModelInMistralsFormat(t *testing.T) {
	t.Parallel()
	files := memory{
		"config.json": "{}", "tekken.json": "{}", "consolidated.safetensors": shard(t, "a", 100),
		"model.safetensors.index.json": `{"weight_map":{"a":"model-00001-of-00001.safetensors"}}`, // left over
	}
	check := func(o *source.CheckOptions) error {
		m, err := files.Resolve(t.Context())
		require.NoError(t, err)
		return source.CheckModel(t.Context(), files, m, o)
	}
	require.NoError(t, check(nil))
	require.NoError(t, check(&source.CheckOptions{Mistral: true}))
	files["consolidated.safetensors"] = "cut"
	require.ErrorIs(t, check(nil), lifecycle.Corrupt)
	files["model-00001-of-00001.safetensors"] = shard(t, "a", 100)
	require.NoError(t, check(nil), "the index names the other copy")
	require.ErrorIs(t, check(&source.CheckOptions{Mistral: true}), lifecycle.Corrupt)
	delete(files, "consolidated.safetensors")
	err := check(&source.CheckOptions{Mistral: true})
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "consolidated.safetensors")
}

// Whatever an index says, CheckModel neither panics nor names a file outside of the model.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../../etc/passwd"}}`))
	f.Add([]byte(`{"weight_map":null}`))
	f.Fuzz(func(t *testing.T, index []byte) {
		m := memory{"config.json": "{}", "tokenizer.json": "{}", "model.safetensors.index.json": string(index)}
		err := source.CheckModel(t.Context(), m, m.manifest(t), nil)
		require.Error(t, err, "no shard is there")
		for e := range lifecycle.Errors(err) {
			require.NoError(t, source.CheckPath(strings.TrimPrefix(e.Target, "mem://model/")))
		}
	})
}

// Whatever a shard holds, CheckModel comes to an end, and accepts only what fits its size.
func FuzzShard(f *testing.F) {
	f.Add([]byte(shard(f, "a", 3)))
	f.Add([]byte("version https://git-lfs.github.com/spec/v1\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := memory{"config.json": "{}", "tokenizer.json": "{}", "model.safetensors": string(data)}
		if source.CheckModel(t.Context(), m, m.manifest(t), nil) == nil {
			require.Contains(t, string(data[:min(len(data), 9)]), "{")
			require.Error(t, source.CheckModel(t.Context(), m, withTail(t, m), nil))
		}
	})
}

func withTail(t *testing.T, m memory) *source.Manifest {
	t.Helper()
	m["model.safetensors"] = string(bytes.Join([][]byte{[]byte(m["model.safetensors"]), {0}}, nil))
	return m.manifest(t)
}
