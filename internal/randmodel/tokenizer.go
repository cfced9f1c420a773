package randmodel

// The three special tokens follow the 256 bytes.
const (
	bosToken = 256 + iota
	eosToken
	padToken
)

const chatTemplate = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}\n{% endfor %}" +
	"{% if add_generation_prompt %}<assistant>{% endif %}"

// tokenizer is a byte-level BPE without merges: each byte is a token.
func tokenizer() map[string]any {
	vocab := map[string]int{"<s>": bosToken, "</s>": eosToken, "<pad>": padToken}
	for b, r := range byteRunes() {
		vocab[string(r)] = b
	}
	special := make([]map[string]any, 0, 3)
	for _, name := range []string{"<s>", "</s>", "<pad>"} {
		special = append(special, map[string]any{
			"id": vocab[name], "content": name, "special": true,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
		})
	}
	bytes := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil, "post_processor": nil,
		"added_tokens": special, "pre_tokenizer": bytes, "decoder": bytes,
		"model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []string{}},
	}
}

func tokenizerConfig(positions int) map[string]any {
	return map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>",
		"pad_token": "<pad>", "model_max_length": positions, "chat_template": chatTemplate,
	}
}

// byteRunes maps each byte to the printable character that byte-level tokenizers write for
// it: itself where it is printable Latin-1, else the next free one from U+0100.
func byteRunes() [256]rune {
	var runes [256]rune
	next := rune(0x100)
	for b := range runes {
		c := rune(b)
		if (c >= '!' && c <= '~') || (c >= '¡' && c <= '¬') || (c >= '®' && c <= 'ÿ') {
			runes[b] = c
			continue
		}
		runes[b] = next
		next++
	}
	return runes
}
