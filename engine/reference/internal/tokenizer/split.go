package tokenizer

import (
	"errors"
	"fmt"
	"unicode"
)

// The patterns that are known by their text. They look ahead, which the regexp package
// cannot, so each is a splitter by hand.
const (
	llamaPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenPattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// gpt2Pattern is what ByteLevel with use_regex splits by.
	gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
)

var patterns = map[string]splitter{llamaPattern: modern(3), qwenPattern: modern(1), gpt2Pattern: gpt2}

// A splitter returns the length of the first piece of s, which is not empty.
type splitter func(s []rune) int

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
		return []splitter{gpt2}, nil
	case c.Type == "Digits" && c.IndividualDigits:
		return []splitter{digits}, nil
	case c.Type == "Split" && c.Behavior == "Isolated" && !c.Invert && c.Pattern.Regex != nil:
		if s, ok := patterns[*c.Pattern.Regex]; ok {
			return []splitter{s}, nil
		}
		return nil, fmt.Errorf("pre_tokenizer pattern %q", *c.Pattern.Regex)
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

// modern splits as Llama 3 and Qwen 2 do: up to digits of a number are one piece.
func modern(digits int) splitter {
	return func(s []rune) int {
		if n := contraction(s, foldCase); n > 0 {
			return n
		}
		if n := letters(s, func(r rune) bool { return r != '\r' && r != '\n' && !unicode.IsNumber(r) }); n > 0 {
			return n
		}
		if n := run(s, unicode.IsNumber); n > 0 {
			return min(n, digits)
		}
		if n := symbols(s); n > 0 {
			return n + run(s[n:], newline)
		}
		spaces := run(s, unicode.IsSpace)
		for n := spaces; n > 0; n-- {
			if newline(s[n-1]) {
				return n
			}
		}
		return blanks(s, spaces)
	}
}

func gpt2(s []rune) int {
	if n := contraction(s, func(r rune) rune { return r }); n > 0 {
		return n
	}
	space := func(r rune) bool { return r == ' ' }
	if n := letters(s, space); n > 0 {
		return n
	}
	if n := run(s, space); n <= 1 {
		if digits := run(s[n:], unicode.IsNumber); digits > 0 {
			return n + digits
		}
	}
	if n := symbols(s); n > 0 {
		return n
	}
	return blanks(s, run(s, unicode.IsSpace))
}

// digits isolates each digit.
func digits(s []rune) int {
	if unicode.IsNumber(s[0]) {
		return 1
	}
	return run(s, func(r rune) bool { return !unicode.IsNumber(r) })
}

// contraction matches 's, 't, 're, 've, 'm, 'll and 'd.
func contraction(s []rune, fold func(rune) rune) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	first := fold(s[1])
	if first == 's' || first == 't' || first == 'm' || first == 'd' {
		return 2
	}
	if len(s) < 3 {
		return 0
	}
	switch string([]rune{first, fold(s[2])}) {
	case "re", "ve", "ll":
		return 3
	}
	return 0
}

// foldCase is lower case, also for the one letter that is another form of s.
func foldCase(r rune) rune {
	if r == 'ſ' {
		return 's'
	}
	return unicode.ToLower(r)
}

// letters matches letters, with one character before them where it may lead.
func letters(s []rune, leads func(rune) bool) int {
	if n := run(s, unicode.IsLetter); n > 0 || !leads(s[0]) {
		return n
	}
	if n := run(s[1:], unicode.IsLetter); n > 0 {
		return 1 + n
	}
	return 0
}

// symbols matches what is no letter, number or space, with a space before it.
func symbols(s []rune) int {
	lead := 0
	if s[0] == ' ' {
		lead = 1
	}
	n := run(s[lead:], func(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	if n == 0 {
		return 0
	}
	return lead + n
}

// blanks leaves the last of several spaces to the word that follows.
func blanks(s []rune, spaces int) int {
	if spaces < len(s) && spaces > 1 {
		return spaces - 1
	}
	return spaces
}

func newline(r rune) bool { return r == '\r' || r == '\n' }

// run is the number of leading characters for which f holds.
func run(s []rune, f func(rune) bool) int {
	for i, r := range s {
		if !f(r) {
			return i
		}
	}
	return len(s)
}
