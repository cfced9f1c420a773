package tokenizer

import (
	"errors"
	"fmt"
	"time"
	"unicode"

	"github.com/dlclark/regexp2"
)

// gpt2Pattern is what a ByteLevel pre-tokenizer with use_regex splits by.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// matchWithin bounds one match, in case the pattern of a model backtracks without end.
const matchWithin = time.Second

// A splitter cuts one piece into smaller ones; all of the piece's bytes are kept.
type splitter func(piece string) ([]string, error)

// splitters returns the steps that a pre_tokenizer stands for, in order.
func splitters(c *component) ([]splitter, error) {
	if c == nil {
		return nil, errors.New("pre_tokenizer is missing (a sentencepiece tokenizer?)")
	}
	switch {
	case c.Type == "Sequence":
		var out []splitter
		for i := range c.Pretokenizers {
			s, err := splitters(&c.Pretokenizers[i])
			if err != nil {
				return nil, err
			}
			out = append(out, s...)
		}
		return out, nil
	case c.Type == "ByteLevel" && c.AddPrefixSpace:
		return nil, errors.New("pre_tokenizer ByteLevel with add_prefix_space")
	case c.Type == "ByteLevel" && c.UseRegex != nil && !*c.UseRegex:
		return nil, nil
	case c.Type == "ByteLevel":
		return compile(gpt2Pattern)
	case c.Type == "Digits" && c.IndividualDigits:
		return []splitter{isolateDigits}, nil
	case c.Type == "Split" && c.Behavior == "Isolated" && !c.Invert && c.Pattern.Regex != nil:
		return compile(*c.Pattern.Regex)
	default:
		return nil, fmt.Errorf("pre_tokenizer %s", c.Type)
	}
}

// byteLevel reports whether the component, or one of its sequence, is ByteLevel.
func (c *component) byteLevel() bool {
	if c == nil {
		return false
	}
	for _, part := range [][]component{c.Pretokenizers, c.Decoders} {
		for i := range part {
			if part[i].byteLevel() {
				return true
			}
		}
	}
	return c.Type == "ByteLevel"
}

// compile returns a splitter that isolates each match; what lies between is a piece, too.
// The patterns look ahead, which the regexp package cannot.
func compile(pattern string) ([]splitter, error) {
	re, err := regexp2.Compile(pattern, regexp2.Unicode)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer pattern %q: %w", pattern, err)
	}
	re.MatchTimeout = matchWithin
	return []splitter{func(piece string) ([]string, error) {
		var out []string
		runes, at := []rune(piece), 0
		m, err := re.FindRunesMatch(runes)
		for ; err == nil && m != nil; m, err = re.FindNextMatch(m) {
			if m.Length == 0 {
				continue
			}
			if m.Index > at {
				out = append(out, string(runes[at:m.Index]))
			}
			at = m.Index + m.Length
			out = append(out, string(runes[m.Index:at]))
		}
		if at < len(runes) {
			out = append(out, string(runes[at:]))
		}
		return out, err
	}}, nil
}

func isolateDigits(piece string) ([]string, error) {
	var out []string
	at := 0
	for i, r := range piece {
		if !unicode.IsNumber(r) {
			continue
		}
		if i > at {
			out = append(out, piece[at:i])
		}
		at = i + len(string(r))
		out = append(out, piece[i:at])
	}
	if at < len(piece) {
		out = append(out, piece[at:])
	}
	return out, nil
}
