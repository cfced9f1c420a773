// Package tokenizer turns text into token ids and back, as a Hugging Face tokenizer.json of
// a byte-level BPE says (GPT-2, Llama 3, Qwen 2 and 3, SmolLM).
//
//	t, err := tokenizer.Load(filepath.Join(dir, "tokenizer.json"))
//	if err != nil {
//		return err
//	}
//	ids := t.Encode("Hello", true)
//	text := t.Decode(ids)
//
// Ids equal those of the tokenizers library. What this package does not know (sentencepiece,
// Unigram, WordPiece, byte fallback, other normalisers or splitters) is refused when the
// file is loaded, never guessed.
//
// # Errors
//
// Load returns a [*lifecycle.Error]: MissingFile without the file, Invalid for a tokenizer
// that is not supported or makes no sense.
package tokenizer
