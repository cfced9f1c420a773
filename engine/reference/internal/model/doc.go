// Package model runs decoder-only transformers of three families on the CPU: Llama, Qwen 2
// and Qwen 3, from safetensors in bf16, f16 or f32. It computes in float32.
//
//	cfg, err := model.ReadConfig(filepath.Join(dir, "config.json"))
//	…
//	m, err := model.Load(ctx, cfg, set, func(bytes int) {})
//	cache := m.NewCache(2048)
//	logits, err := m.Forward(cache, promptIDs)
//
// The result for a position does not depend on how the positions before it were cut into
// calls of Forward, nor on the number of CPUs.
//
// # Errors
//
// ReadConfig, Config.Fits and Load return a [*lifecycle.Error]: MissingFile, Invalid for
// what this package cannot run, Corrupt for weights that do not fit the configuration.
package model
