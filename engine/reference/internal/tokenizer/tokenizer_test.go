package tokenizer_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

// change returns the tokenizer.json of a family after f has changed it.
func change(tb testing.TB, family string, f func(map[string]any)) []byte {
	tb.Helper()
	var v map[string]any
	readJSON(tb, filepath.Join("../../testdata", family, "tokenizer.json"), &v)
	f(v)
	text, err := json.Marshal(v)
	require.NoError(tb, err)
	return text
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	model := func(key string, value any) func(map[string]any) {
		return func(v map[string]any) { v["model"].(map[string]any)[key] = value }
	}
	part := func(key string, value any) func(map[string]any) {
		return func(v map[string]any) { v[key] = value }
	}
	cases := map[string]struct {
		change func(map[string]any)
		want   string
	}{
		"unigram":            {model("type", "Unigram"), `model.type "Unigram"`},
		"word piece":         {model("type", "WordPiece"), `model.type "WordPiece"`},
		"byte fallback":      {model("byte_fallback", true), "byte_fallback"},
		"dropout":            {model("dropout", 0.1), "dropout"},
		"subword prefix":     {model("continuing_subword_prefix", "##"), "continuing_subword_prefix"},
		"word suffix":        {model("end_of_word_suffix", "</w>"), "end_of_word_suffix"},
		"no vocabulary":      {model("vocab", []any{}), "model.vocab"},
		"negative id":        {model("vocab", map[string]any{"a": -1}), "model.vocab"},
		"huge id":            {model("vocab", map[string]any{"a": 1 << 40}), "model.vocab"},
		"unknown token":      {model("vocab", map[string]any{}), "merge 0"},
		"merge of three":     {model("merges", []any{[]any{"a", "b", "c"}}), "a merge of 3 tokens"},
		"merge without pair": {model("merges", []any{"ab"}), "has no space"},
		"normalizer":         {part("normalizer", map[string]any{"type": "Lowercase"}), "normalizer Lowercase"},
		"no pre-tokenizer":   {part("pre_tokenizer", nil), "pre_tokenizer is missing"},
		"metaspace":          {part("pre_tokenizer", map[string]any{"type": "Metaspace"}), "pre_tokenizer Metaspace"},
		"prefix space": {
			part("pre_tokenizer", map[string]any{"type": "ByteLevel", "add_prefix_space": true}), "add_prefix_space",
		},
		"not byte level": {
			part("pre_tokenizer", map[string]any{"type": "Digits", "individual_digits": true}), "without ByteLevel",
		},
		"pattern": {
			part("pre_tokenizer", map[string]any{"type": "Split", "behavior": "Isolated", "pattern": map[string]any{"Regex": "("}}),
			"pattern",
		},
		"decoder":        {part("decoder", map[string]any{"type": "WordPiece"}), "without ByteLevel"},
		"post-processor": {part("post_processor", map[string]any{"type": "BertProcessing"}), "post_processor BertProcessing"},
		"stripping token": {
			part("added_tokens", []any{map[string]any{"id": 1, "content": "x", "lstrip": true}}), "lstrip",
		},
		"added id": {part("added_tokens", []any{map[string]any{"id": -1, "content": "x"}}), "has id -1"},
		"template": {
			part("post_processor", map[string]any{
				"type": "TemplateProcessing", "single": []any{map[string]any{"SpecialToken": map[string]any{"id": "<s>"}}},
			}), "does not define it",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tokenizer.Parse(change(t, "qwen2", c.change))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "tokenizer.json")
	_, err := tokenizer.Load(path)
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "sentencepiece")

	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = tokenizer.Load(path)
	require.ErrorIs(t, err, lifecycle.Invalid)
}

// TestSplitters checks the pre-tokenizers that the golden families do not have.
func TestSplitters(t *testing.T) {
	t.Parallel()
	cases := map[string]map[string]any{
		"GPT-2": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
		"SmolLM": {"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Digits", "individual_digits": true},
			map[string]any{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
		}},
	}
	for name, pre := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tok, err := tokenizer.Parse(change(t, "qwen2", func(v map[string]any) { v["pre_tokenizer"] = pre }))
			require.NoError(t, err)
			for _, text := range []string{"", "a  b", "I'll take 123\n\n of them.", " x", "1a2"} {
				ids := tok.Encode(text, false)
				require.Equal(t, text, tok.Decode(ids))
			}
			ids := tok.Encode("99", false)
			require.Len(t, ids, map[string]int{"GPT-2": 1, "SmolLM": 2}[name])
		})
	}
}

func TestAddedTokens(t *testing.T) {
	t.Parallel()
	tok, err := tokenizer.Parse(change(t, "qwen2", func(v map[string]any) {
		v["added_tokens"] = append(v["added_tokens"].([]any),
			map[string]any{"id": 900, "content": "<|im_end|>!", "special": true},
			map[string]any{"id": 901, "content": "caf\u0065\u0301", "normalized": true})
	}))
	require.NoError(t, err)
	ids := tok.Encode("<|im_end|>!caf\u00e9<|im_end|>", false)
	require.Equal(t, []int{900, 901, 642}, ids)
	require.Equal(t, "caf\u0065\u0301", tok.Decode(ids))

	id, ok := tok.ID("<|im_end|>")
	require.True(t, ok)
	require.Equal(t, 642, id)
	_, ok = tok.ID("the")
	require.False(t, ok)
	require.True(t, tok.Known(0))
	require.False(t, tok.Known(899))
}

// TestEndlessWord makes sure that one long word takes n log n steps: with n² it would not end.
func TestEndlessWord(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("aB", 200_000)
	tok := load(t, "qwen3")
	ids := tok.Encode(text, false)
	require.Equal(t, text, tok.Decode(ids))
}

// TestRoundTrip: decoding gives back what was encoded, whole or token by token.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, family := range families {
		tok := load(t, family)
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.String().Draw(t, "text")
			ids := tok.Encode(text, false)
			want := text
			if strings.HasPrefix(family, "qwen") {
				want = norm.NFC.String(text)
			}
			require.Equal(t, want, tok.Decode(ids))
		})
	}
}

// TestStream: whatever the ids, pieces are valid UTF-8 and add up to the whole.
func TestStream(t *testing.T) {
	t.Parallel()
	tok := load(t, "llama")
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.IntRange(-1, 720)).Draw(t, "ids")
		s := tok.Stream()
		var got strings.Builder
		for _, id := range ids {
			piece := s.Next(id)
			require.True(t, utf8.ValidString(piece))
			got.WriteString(piece)
		}
		got.WriteString(s.Rest())
		require.Equal(t, tok.Decode(ids), got.String())
	})
}

// TestBrokenUTF8: one U+FFFD for each maximal part of a broken sequence, as Unicode
// recommends and Rust and Python do.
func TestBrokenUTF8(t *testing.T) {
	t.Parallel()
	tok := load(t, "llama")
	cases := map[string]string{
		"\xe6\x97":             "\ufffd",
		"\xe6\x97a":            "\ufffda",
		"\xe6\xe6\x97\xa5":     "\ufffd\u65e5",
		"\xf0\x9f\x99":         "\ufffd",
		"\xe0\x80\x80":         "\ufffd\ufffd\ufffd",
		"\x80\xff":             "\ufffd\ufffd",
		"\xed\xa0\x80":         "\ufffd\ufffd\ufffd",
		"\xf0\x9f\x99\x82\xc3": "\U0001f642\ufffd",
	}
	for raw, want := range cases {
		var ids []int
		for _, b := range []byte(raw) {
			ids = append(ids, byteID(t, b))
		}
		require.Equal(t, want, tok.Decode(ids), "%q", raw)
	}
}

// byteID returns the id of the token that is one byte. The vocabulary begins with the byte
// alphabet in order of its characters: printable ones first.
func byteID(tb testing.TB, b byte) int {
	tb.Helper()
	var printable, moved []byte
	for c := range 256 {
		if (c >= '!' && c <= '~') || (c >= 0xa1 && c != 0xad) {
			printable = append(printable, byte(c))
		} else {
			moved = append(moved, byte(c))
		}
	}
	for id, c := range append(printable, moved...) {
		if c == b {
			return id
		}
	}
	tb.Fatalf("no token for %#x", b)
	return 0
}

func FuzzParse(f *testing.F) {
	f.Add(change(f, "llama", func(v map[string]any) {
		m := v["model"].(map[string]any)
		m["vocab"], m["merges"] = map[string]any{"a": 0, "b": 1, "ab": 2}, []any{"a b", []any{"a", "b"}}
	}))
	f.Add([]byte(`{"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`))
	f.Add([]byte(`{"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"},"model":{"vocab":{"a":0}}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		tok, err := tokenizer.Parse(text)
		if err != nil {
			return
		}
		tok.Decode(tok.Encode("Hello 12 <|im_end|>\n", true))
	})
}

func FuzzEncode(f *testing.F) {
	tok := load(f, "llama")
	f.Add("Hello")
	f.Add("\xff<|eot_id|>\xc3")
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text, true)
		got := tok.Decode(ids)
		require.True(t, utf8.ValidString(got))
		if utf8.ValidString(text) && !strings.Contains(text, "<|") {
			require.Equal(t, text, got)
		}
	})
}
