package sglang_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/sglang"
	"github.com/stretchr/testify/require"
)

func TestParseLoad(t *testing.T) {
	t.Parallel()
	l, err := sglang.Engine{}.ParseLoad([]byte(`{"version":"0.5.23","loads":[{"dp_rank":0,"num_running_reqs":3,"num_waiting_reqs":1,"token_usage":0.25},` +
		`{"dp_rank":1,"num_running_reqs":2,"num_waiting_reqs":0,"token_usage":0.5}]}`))
	require.NoError(t, err)
	require.Equal(t, engine.Load{Running: 5, Waiting: 1, KVUsage: 0.5}, l)
	for _, body := range []string{``, `{}`, `{"loads":[]}`, `[1]`} {
		_, err := sglang.Engine{}.ParseLoad([]byte(body))
		require.Error(t, err, body)
	}
}

func FuzzParseLoad(f *testing.F) {
	f.Add(`{"loads":[{"num_running_reqs":3}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := sglang.Engine{}.ParseLoad([]byte(text))
		require.True(t, err != nil || (l.Running >= 0 && l.Waiting >= 0))
	})
}
