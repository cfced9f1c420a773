package llamacpp_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/stretchr/testify/require"
)

func TestParseLoad(t *testing.T) {
	t.Parallel()
	l, err := llamacpp.Engine{}.ParseLoad([]byte("# HELP x\nllamacpp:requests_processing 3\nllamacpp:requests_deferred 12\nllamacpp:kv_cache_usage_ratio 0.5\nbroken\n"))
	require.NoError(t, err)
	require.Equal(t, engine.Load{Running: 3, Waiting: 12, KVUsage: 0.5}, l)
	_, err = llamacpp.Engine{}.ParseLoad([]byte("up 1\nllamacpp:requests_processing NaN\n"))
	require.Error(t, err)
}

func FuzzParseLoad(f *testing.F) {
	f.Add("llamacpp:requests_processing 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := llamacpp.Engine{}.ParseLoad([]byte(text))
		require.True(t, err != nil || (l.Running >= 0 && l.Waiting >= 0 && l.KVUsage >= 0))
	})
}
