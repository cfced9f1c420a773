package costmodel_test

import (
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/costmodel"
	"github.com/stretchr/testify/require"
)

// A log as vLLM writes it, made by hand.
const log = `(EngineCore_DP0 pid=2) INFO 01-01 00:00:00 [core.py:97] Initializing a V1 LLM engine (v0.12.0) with config: model='m'
(Worker pid=3) INFO 01-01 00:00:20 [gpu_model_runner.py:2845] Starting to load model m...
(Worker pid=3) INFO 01-01 00:00:30 [gpu_model_runner.py:2906] Model loading took 16.1 GiB and 9.5 seconds
(Worker pid=3) INFO 01-01 00:00:31 [backends.py:206] Directly load the compiled graph(s) for dynamic shape from the cache, took 1.5 s
(Worker pid=3) INFO 01-01 00:00:38 [monitor.py:33] torch.compile takes 6.5 s in total
(Worker pid=3) INFO 01-01 00:00:41 [gpu_worker.py:315] Available KV cache memory: 35.76 GiB
(Worker pid=3) INFO 01-01 00:00:48 [gpu_model_runner.py:3816] Graph capturing finished in 6 secs, took 1.05 GiB
(EngineCore_DP0 pid=2) INFO 01-01 00:00:48 [core.py:243] init engine (profile, create kv cache, warmup model) took 17.92 seconds
(APIServer pid=1) INFO 01-01 00:00:49 [entry.py:1] Supported tasks: ['generate']
`

func TestCompare(t *testing.T) {
	t.Parallel()
	parts, err := costmodel.H100.Compare(costmodel.Jobs[0], []byte(log))
	require.NoError(t, err)
	byName := map[string]costmodel.Part{}
	for _, p := range parts {
		byName[p.Name] = p
	}
	require.InDelta(t, 20, byName["processes and imports"].Recorded, 0.1)
	require.Zero(t, byName["download"].Predicted, "the files were there")
	require.InDelta(t, 32*(costmodel.H100.Trace+costmodel.H100.Cached), byName["compile"].Predicted, 1e-6, "the cache was, too")
	require.InDelta(t, 49, byName["whole"].Recorded, 0.1)
	require.InDelta(t, 49, byName["whole"].Predicted, 10)
}
