package vllm_test

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/stretchr/testify/require"
)

const metrics = `# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a } 9"} 3.0
vllm:num_requests_running{engine="1",model_name="a } 9"} 2.0
vllm:num_requests_waiting{engine="0",model_name="a } 9"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="a } 9"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="a } 9"} 0.75
python_info 1.0
`

func TestLoadIsReadFromTheMetrics(t *testing.T) {
	t.Parallel()
	l, err := vllm.Engine{}.ParseLoad([]byte(metrics))
	require.NoError(t, err)
	require.Equal(t, engine.Load{Running: 5, Waiting: 7, KVUsage: 0.75}, l)
	_, err = vllm.Engine{}.ParseLoad([]byte("process_cpu_seconds_total 1\n"))
	require.Error(t, err)
}

func FuzzParseLoad(f *testing.F) {
	f.Add([]byte(metrics))
	f.Add([]byte("vllm:num_requests_running NaN\nvllm:num_requests_running{ 1e999"))
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := vllm.Engine{}.ParseLoad(body)
		if err == nil && (l.Running < 0 || l.Waiting < 0 || l.KVUsage < 0) {
			t.Fatalf("%+v", l)
		}
	})
}
