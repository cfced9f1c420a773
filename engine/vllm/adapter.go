package vllm

import (
	"encoding/json"
	"fmt"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/lora"
	"github.com/spinup-llm/spinup/lifecycle"
)

var _ engine.AdapterLoader = Engine{}

// adapterRanks are those that max_lora_rank may have.
var adapterRanks = []int{1, 8, 16, 32, 64, 128, 256, 320, 512}

// defaultRank is vLLM's own.
const defaultRank = 16

// withAdapters adds to kwargs what it takes to hold as many adapters as the spec says. All of
// them may be in a batch, and stay in memory: vLLM's own default is one.
func withAdapters(kwargs map[string]any, spec engine.Spec) {
	if spec.Adapters == 0 {
		return
	}
	add := func(name string, value any) {
		if kwargs[name] == nil {
			kwargs[name] = value
		}
	}
	add("enable_lora", true)
	add("max_loras", spec.Adapters)
	if batch, ok := driver.Number(kwargs["max_loras"]); ok && int(batch) < spec.Adapters {
		add("max_cpu_loras", spec.Adapters)
	}
}

// CheckAdapter implements engine.AdapterLoader. What vLLM's versions differ in is left to it.
func (Engine) CheckAdapter(spec engine.Spec, a engine.Adapter) error {
	files, err := lora.Read(a.Dir)
	if err != nil {
		return err
	}
	most := defaultRank
	if given, ok := driver.Number(spec.Kwargs["max_lora_rank"]); ok {
		most = int(given)
	}
	if files.Rank > most {
		return problem(lifecycle.Invalid, a.Name, fmt.Sprintf("its rank is %d, and max_lora_rank is %d", files.Rank, most), raiseRank(files.Rank))
	}
	if spec.Dir == "" {
		return nil
	}
	return files.Fits(spec.Dir)
}

func raiseRank(rank int) string {
	for _, r := range adapterRanks {
		if r >= rank {
			return fmt.Sprintf("set engine_kwargs.max_lora_rank to %d", r)
		}
	}
	return fmt.Sprintf("vLLM serves ranks up to %d: make the adapter's smaller", adapterRanks[len(adapterRanks)-1])
}

// LoadAdapter implements engine.AdapterLoader.
func (Engine) LoadAdapter(a engine.Adapter) engine.Call {
	return adapterCall("/v1/load_lora_adapter", map[string]string{"lora_name": a.Name, "lora_path": a.Dir})
}

// UnloadAdapter implements engine.AdapterLoader.
func (Engine) UnloadAdapter(a engine.Adapter) engine.Call {
	return adapterCall("/v1/unload_lora_adapter", map[string]string{"lora_name": a.Name})
}

func adapterCall(path string, body map[string]string) engine.Call {
	data, _ := json.Marshal(body) // strings only
	return engine.Call{Path: path, Body: data}
}

// adapters refuses kwargs that switch off what the spec asks for.
func (c *check) adapters() error {
	given, set := c.spec.Kwargs["enable_lora"]
	if c.spec.Adapters == 0 || !set || given == nil || truthy(given) {
		return nil
	}
	return invalidKwarg("enable_lora", "it is false, and there is a lora_config", "remove one of them")
}
