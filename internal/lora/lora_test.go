package lora_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/lora"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func adapter(t *testing.T, o randmodel.AdapterOptions) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, randmodel.WriteAdapter(dir, o))
	return dir
}

func TestRead(t *testing.T) {
	t.Parallel()
	a, err := lora.Read(adapter(t, randmodel.AdapterOptions{Rank: 4}))
	require.NoError(t, err)
	require.Equal(t, 4, a.Rank)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file, content string // "" removes it
		kind          lifecycle.Kind
		says          string
	}{
		"no config":     {lora.ConfigFile, "", lifecycle.MissingFile, "there is no adapter_config.json"},
		"no weights":    {lora.WeightsFile, "", lifecycle.MissingFile, "no weights"},
		"html":          {lora.ConfigFile, "<html>", lifecycle.Corrupt, "not the JSON"},
		"another type":  {lora.ConfigFile, `{"peft_type":"IA3","r":8}`, lifecycle.Invalid, `peft_type is "IA3"`},
		"no type":       {lora.ConfigFile, `{"r":8}`, lifecycle.Invalid, "no peft_type"},
		"a model's":     {lora.ConfigFile, `{"model_type":"llama"}`, lifecycle.Invalid, "no peft_type"},
		"no rank":       {lora.ConfigFile, `{"peft_type":"LORA"}`, lifecycle.Invalid, "rank r is 0"},
		"null":          {lora.ConfigFile, `null`, lifecycle.Invalid, "no peft_type"},
		"an LFS's text": {lora.WeightsFile, "version https://git-lfs.github.com/spec/v1\noid sha256:00", lifecycle.Corrupt, "Git LFS"},
		"empty":         {lora.WeightsFile, "x", lifecycle.Corrupt, "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := adapter(t, randmodel.AdapterOptions{})
			file := filepath.Join(dir, c.file)
			if c.content == "" {
				require.NoError(t, os.Remove(file))
			} else {
				require.NoError(t, os.WriteFile(file, []byte(c.content), 0o600))
			}
			_, err := lora.Read(dir)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestReadRefusesTruncatedWeights(t *testing.T) {
	t.Parallel()
	dir := adapter(t, randmodel.AdapterOptions{})
	file := filepath.Join(dir, lora.WeightsFile)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(file, info.Size()-1))
	_, err = lora.Read(dir)
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.ErrorContains(t, err, "truncated")
}

func TestTheHighestRankCounts(t *testing.T) {
	t.Parallel()
	dir := adapter(t, randmodel.AdapterOptions{})
	config := `{"peft_type":"LORA","r":8,"rank_pattern":{"q_proj":64}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, lora.ConfigFile), []byte(config), 0o600))
	a, err := lora.Read(dir)
	require.NoError(t, err)
	require.Equal(t, 64, a.Rank)
}

func TestPickledWeightsAreAccepted(t *testing.T) {
	t.Parallel()
	dir := adapter(t, randmodel.AdapterOptions{})
	require.NoError(t, os.Rename(filepath.Join(dir, lora.WeightsFile), filepath.Join(dir, "adapter_model.bin")))
	a, err := lora.Read(dir)
	require.NoError(t, err)
	require.NoError(t, a.Fits(t.TempDir()))
}

func TestFits(t *testing.T) {
	t.Parallel()
	model := t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{Shards: 2}))
	for name, c := range map[string]struct {
		model randmodel.Options
		says  string // "" where it fits
	}{
		"the same":       {randmodel.Options{}, ""},
		"fewer layers":   {randmodel.Options{Layers: 1}, ""},
		"another width":  {randmodel.Options{Hidden: 512}, "in the adapter"},
		"another layer":  {randmodel.Options{Layers: 3}, "the model has no model.layers.2.self_attn"},
		"another at all": {randmodel.Options{Hidden: 128, Layers: 9}, "model"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := lora.Read(adapter(t, randmodel.AdapterOptions{Model: c.model}))
			require.NoError(t, err)
			err = a.Fits(model)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, lifecycle.Invalid)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestWhatIsNotKnownFits(t *testing.T) {
	t.Parallel()
	a, err := lora.Read(adapter(t, randmodel.AdapterOptions{}))
	require.NoError(t, err)
	require.NoError(t, a.Fits(t.TempDir()))
	require.NoError(t, a.Fits("/no/such/folder"))
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"peft_type":"LORA","r":8,"rank_pattern":{"a":1}}`), []byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Add([]byte(`null`), []byte("x"))
	f.Fuzz(func(t *testing.T, config, weights []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, lora.ConfigFile), config, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, lora.WeightsFile), weights, 0o600))
		if a, err := lora.Read(dir); err == nil {
			require.Positive(t, a.Rank)
			_ = a.Fits(dir)
		} else {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
		}
	})
}
