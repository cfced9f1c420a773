package source_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestRanksGlobs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ranks source.Ranks
		want  []string
		fault string
	}{
		{source.Ranks{}, []string{"model-rank-0-part-*.safetensors"}, ""},
		{source.Ranks{Tensor: 2}, []string{"model-rank-0-part-*.safetensors", "model-rank-1-part-*.safetensors"}, ""},
		{source.Ranks{Tensor: 2, Pipeline: 2}, []string{
			"model-pp-0-tp-0-part-*.safetensors", "model-pp-0-tp-1-part-*.safetensors",
			"model-pp-1-tp-0-part-*.safetensors", "model-pp-1-tp-1-part-*.safetensors",
		}, ""},
		{source.Ranks{Pattern: "w{rank:02d}{{x}}-{part}.st", Tensor: 2}, []string{"w00{x}-*.st", "w01{x}-*.st"}, ""},
		{source.Ranks{Pattern: "w-{part}.st"}, []string{"w-*.st"}, ""},
		{source.Ranks{Pattern: "w-{part}.st", Tensor: 2}, nil, "it lacks {rank}, and there are 2 ranks"},
		{source.Ranks{Pattern: "w-{rank}-{part}.st", Pipeline: 2}, nil, "it lacks {pp_rank}, and there are 2 stages"},
		{source.Ranks{Pattern: "w-{pp_rank}.st"}, nil, "there is no pipeline"},
		{source.Ranks{Pattern: "w-{rnk}.st"}, nil, `"{rnk}" is none of {rank}`},
		{source.Ranks{Pattern: "w-{rank.st"}, nil, `"{" is none of {rank}`},
	} {
		got, err := c.ranks.Globs()
		if c.fault != "" {
			require.ErrorContains(t, err, c.fault)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

// sharded is a checkpoint of two ranks, with the index of another that was copied along.
func sharded(tb testing.TB) memory {
	tb.Helper()
	m := memory{"config.json": "{}", "tokenizer.json": "{}"}
	m["model.safetensors.index.json"] = `{"weight_map":{"a":"model-00001-of-00002.safetensors"}}`
	for rank := range 2 {
		for part := range 2 {
			m[fmt.Sprintf("model-rank-%d-part-%d.safetensors", rank, part)] = shard(tb, "a", 10)
		}
	}
	return m
}

func TestCheckModelByRank(t *testing.T) {
	t.Parallel()
	const one = "model-rank-1-part-0.safetensors"
	for name, c := range map[string]struct {
		ranks  source.Ranks
		change func(memory)
		kind   lifecycle.Kind
		text   string
	}{
		"whole":          {source.Ranks{Tensor: 2}, func(memory) {}, lifecycle.Unknown, ""},
		"a rank lacks":   {source.Ranks{Tensor: 3}, func(memory) {}, lifecycle.MissingFile, "rank 2 of 3 has no file"},
		"too many ranks": {source.Ranks{Tensor: 1}, func(memory) {}, lifecycle.Invalid, "saved for 2 × 1 ranks, not for 1 × 1"},
		"a stage lacks":  {source.Ranks{Tensor: 2, Pipeline: 2}, func(memory) {}, lifecycle.MissingFile, "rank 3 of 4 has no file"},
		"another name":   {source.Ranks{Pattern: "shard-{rank}.safetensors"}, func(memory) {}, lifecycle.MissingFile, "rank 0 of 1 has no file"},
		"a bad pattern":  {source.Ranks{Pattern: "shard-{r}"}, func(memory) {}, lifecycle.Invalid, `"{r}" is none of`},
		"a file is cut":  {source.Ranks{Tensor: 2}, func(m memory) { m[one] = m[one][:20] }, lifecycle.Corrupt, one},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := sharded(t)
			c.change(m)
			err := source.CheckModel(t.Context(), m, m.manifest(t), &source.CheckOptions{Ranks: &c.ranks})
			if c.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			e, _ := errors.AsType[*lifecycle.Error](err)
			require.NotEmpty(t, e.Hint)
		})
	}
}

// An engine that reads nothing but safetensors cannot take what another could.
func TestCheckModelSafetensorsOnly(t *testing.T) {
	t.Parallel()
	only := &source.CheckOptions{Safetensors: true}
	whole := model(t)
	require.NoError(t, source.CheckModel(t.Context(), whole, whole.manifest(t), only))
	bin := memory{
		"config.json": "{}", "tokenizer.json": "{}", "pytorch_model-00001-of-00001.bin": "PK",
		"pytorch_model.bin.index.json": `{"weight_map":{"a":"pytorch_model-00001-of-00001.bin"}}`,
	}
	require.NoError(t, source.CheckModel(t.Context(), bin, bin.manifest(t), nil))
	err := source.CheckModel(t.Context(), bin, bin.manifest(t), only)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "convert the weights to safetensors")
}

func FuzzRanks(f *testing.F) {
	f.Add("model-rank-{rank}-part-{part}.safetensors", 2, 1)
	f.Add("{pp_rank:03d}{{}}{tp_rank}", 1, 2)
	f.Fuzz(func(t *testing.T, pattern string, tensor, pipeline int) {
		r := source.Ranks{Pattern: pattern, Tensor: tensor % 8, Pipeline: pipeline % 8}
		globs, err := r.Globs()
		if err == nil {
			require.Len(t, globs, max(1, r.Tensor)*max(1, r.Pipeline))
		}
	})
}
