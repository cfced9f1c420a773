package vllm_test

import (
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/vllm"
)

// A recorded log becomes a timeline, whoever has started that vLLM.
func ExampleReadLog() {
	log := strings.NewReader(`(EngineCore pid=2) INFO 10-28 10:00:00 [core.py:1] Initializing a V1 LLM engine (v0.20.0) with config: enforce_eager=True
(EngineCore pid=2) INFO 10-28 10:00:03 [gpu_model_runner.py:1] Starting to load model m...
(EngineCore pid=2) INFO 10-28 10:00:25 [gpu_model_runner.py:1] Model loading took 15 GiB memory and 22.1 seconds
(EngineCore pid=2) INFO 10-28 10:00:29 [gpu_worker.py:1] Available KV cache memory: 50 GiB
(EngineCore pid=2) INFO 10-28 10:00:30 [core.py:1] init engine (profile, create kv cache, warmup model) took 5 s
`)
	timeline, err := vllm.ReadLog(log)
	if err != nil {
		panic(err)
	}
	for span := range timeline.All() {
		fmt.Println(span.Stage, span.Duration())
	}
	// Output:
	// preload 0s
	// start_workers 3s
	// load_weights 22s
	// profile_memory 4s
	// kv_cache 1s
	// start_server 0s
}

// Explain tells the first cause, which vLLM's last line only points at.
func ExampleEngine_NewParser() {
	p := vllm.Engine{}.NewParser(engine.Spec{ModelID: "m", Dir: "/models/m"})
	for _, line := range []string{
		"(Worker pid=3) ERROR 10-28 10:00:02 [multiproc_executor.py:1] RuntimeError: Cannot find any model weights with `/models/m`",
		"RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
	} {
		p.Parse([]byte(line))
	}
	err := p.Explain(1)
	fmt.Println(err.Kind)
	fmt.Println(err.Hint)
	// Output:
	// missing file
	// put the model's *.safetensors files into the folder
}
