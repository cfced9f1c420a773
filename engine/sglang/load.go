package sglang

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spinup-llm/spinup/engine"
)

var _ engine.LoadTeller = Engine{}

const loadPath = "/v1/loads"

// LoadPath implements engine.LoadTeller.
func (Engine) LoadPath() string { return loadPath + "?include=core" }

// ParseLoad implements engine.LoadTeller. Where several schedulers serve, their requests are
// added up and the fullest KV cache counts.
func (Engine) ParseLoad(body []byte) (engine.Load, error) {
	var answer struct {
		Loads []struct {
			Running int     `json:"num_running_reqs"`
			Waiting int     `json:"num_waiting_reqs"`
			Usage   float64 `json:"token_usage"`
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return engine.Load{}, fmt.Errorf("%s is not of SGLang's form: %w", loadPath, err)
	}
	if len(answer.Loads) == 0 {
		return engine.Load{}, errors.New(loadPath + " names no scheduler")
	}
	var l engine.Load
	for _, of := range answer.Loads {
		l.Running += max(0, of.Running)
		l.Waiting += max(0, of.Waiting)
		l.KVUsage = max(l.KVUsage, of.Usage)
	}
	return l, nil
}
