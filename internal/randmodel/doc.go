// Package randmodel writes small Llama models with random weights in Hugging Face layout,
// for tests. They are whole: vLLM and transformers load them, a chat template included;
// the text they make is noise. Equal options give equal bytes.
//
//	err := randmodel.Write(t.TempDir(), randmodel.Options{Shards: 4})
package randmodel
