package vllm

import (
	"errors"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
)

var _ engine.LoadTeller = Engine{}

// LoadPath implements engine.LoadTeller.
func (Engine) LoadPath() string { return "/metrics" }

// ParseLoad implements engine.LoadTeller: it reads the text format of Prometheus. Where
// several cores serve, their requests are added up and the fullest KV cache counts.
func (Engine) ParseLoad(body []byte) (engine.Load, error) {
	var l engine.Load
	found := false
	for name, value := range driver.Samples(body) {
		switch name {
		case "vllm:num_requests_running":
			l.Running += int(value)
			found = true
		case "vllm:num_requests_waiting":
			l.Waiting += int(value)
		case "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc": // the second until 0.10
			l.KVUsage = max(l.KVUsage, value)
		}
	}
	if !found {
		return engine.Load{}, errors.New("vllm:num_requests_running is not among the metrics")
	}
	return l, nil
}
