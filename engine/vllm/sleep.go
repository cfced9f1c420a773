package vllm

import "github.com/spinup-llm/spinup/engine"

var _ engine.Sleeper = Engine{}

// SleepPath implements engine.Sleeper: weights go to the machine's memory, the KV cache is
// dropped.
func (Engine) SleepPath() string { return "/sleep?level=1" }

// WakePath implements engine.Sleeper.
func (Engine) WakePath() string { return "/wake_up" }
