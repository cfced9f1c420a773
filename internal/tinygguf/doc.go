// Package tinygguf writes a small Llama model, as it lies in a Hugging Face folder, in
// GGUF, for tests with llama.cpp. The tokenizer has to be that of Llama 3 (byte-level BPE).
//
//	err := tinygguf.Write("tiny.gguf", "examples/quickstart/model", nil)
//
// llama.cpp rotates neighbouring elements of a head where transformers rotates its halves,
// so the rows of the query and key projections change places; all other weights keep their
// bytes.
package tinygguf
