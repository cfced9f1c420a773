// Package reference is a small inference engine in pure Go, for trying, testing and tiny
// models. It needs nothing but the program that holds it: no Python, no compiler, no
// accelerator, no network.
//
//	func main() {
//		reference.Main() // becomes the engine when the program is started as one
//		p, err := engine.Start(ctx, reference.Engine{}, engine.Spec{ModelID: "tiny", Dir: dir}, nil)
//		…
//	}
//
// It is a reference, not a product: it runs Llama, Qwen 2 and Qwen 3 models in Hugging Face
// layout (safetensors in bf16, f16 or f32, a byte-level BPE tokenizer.json, a Jinja chat
// template) on the CPU in float32, and refuses everything else with a clear error: other
// architectures, quantized weights, sentencepiece, sliding windows that are in use,
// streaming load formats. Token ids equal those of the transformers library. A model of a
// few million parameters answers at once; one of a billion is slow; for more there is
// engine/vllm.
//
// # Process
//
// The engine is the host's own program, started once more. A library cannot own main, so
// the host calls [Main] first; without that, Check refuses, as the program would start
// itself as itself. [Handler] serves a model in this process instead, for tests.
//
// # Options
//
// Of engine_kwargs it honours max_model_len (tokens of prompt and answer; default the
// model's, at most 4096), max_num_seqs (requests at a time; default 4) and seed. Those of
// vLLM's that tune what is not here, such as gpu_memory_utilization, are ignored with a note
// in an event; those that would change what the engine does are refused.
//
// # Errors
//
// Check, Handler and a failed start give a [*lifecycle.Error]: Invalid for what the engine
// cannot run, MissingFile and Corrupt for the model's files, NoSpace when memory does not
// suffice, EngineFailed for a crash.
package reference
