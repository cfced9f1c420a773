package llamacpp

import (
	"errors"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
)

var _ engine.LoadTeller = Engine{}

// LoadPath implements engine.LoadTeller.
func (Engine) LoadPath() string { return "/metrics" }

// ParseLoad implements engine.LoadTeller: it reads the text format of Prometheus. Recent
// builds do not tell how full the KV cache is.
func (Engine) ParseLoad(body []byte) (engine.Load, error) {
	var l engine.Load
	found := false
	for name, value := range driver.Samples(body) {
		switch name {
		case "llamacpp:requests_processing":
			l.Running, found = int(value), true
		case "llamacpp:requests_deferred":
			l.Waiting = int(value)
		case "llamacpp:kv_cache_usage_ratio":
			l.KVUsage = value
		}
	}
	if !found {
		return engine.Load{}, errors.New("llamacpp:requests_processing is not among the metrics")
	}
	return l, nil
}
