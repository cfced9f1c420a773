package vllm

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
)

var _ engine.LoadTeller = Engine{}

// LoadPath implements engine.LoadTeller.
func (Engine) LoadPath() string { return "/metrics" }

// ParseLoad implements engine.LoadTeller: it reads the text format of Prometheus. Where
// several cores serve, their requests are added up and the fullest KV cache counts.
func (Engine) ParseLoad(body []byte) (engine.Load, error) {
	var l engine.Load
	found := false
	for line := range strings.Lines(string(body)) {
		name, value, ok := sample(line)
		if !ok {
			continue
		}
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

// sample splits a line "NAME{LABELS} VALUE" or "NAME VALUE". Labels may hold anything, so the
// value is what follows the last blank.
func sample(line string) (name string, value float64, ok bool) {
	line = strings.TrimSpace(line)
	end := strings.IndexAny(line, "{ ")
	last := strings.LastIndexByte(line, ' ')
	if end <= 0 || last < end || line[0] == '#' {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(line[last+1:], 64)
	if err != nil || value < 0 || value > 1e9 || math.IsNaN(value) {
		return "", 0, false
	}
	return line[:end], value, true
}
