package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Known reports whether id stands for a token.
func (t *Tokenizer) Known(id int) bool {
	_, ok := t.texts[id]
	return ok
}

// ID returns the id of an added token, by its text.
func (t *Tokenizer) ID(token string) (int, bool) {
	if token == "" {
		return 0, false
	}
	for _, a := range []*added{&t.raw, &t.normalized} {
		for _, c := range a.tokens[token[0]] {
			if c.text == token {
				return c.id, true
			}
		}
	}
	return 0, false
}

// Decode returns the text of ids, without special tokens. Bytes that are no UTF-8 become
// U+FFFD, one for each broken sequence.
func (t *Tokenizer) Decode(ids []int) string {
	s := t.Stream()
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(s.Next(id))
	}
	b.WriteString(s.Rest())
	return b.String()
}

// A Stream decodes ids one by one. What it has returned never changes later: bytes that
// may still become a character wait for the next id.
type Stream struct {
	t       *Tokenizer
	pending []byte
}

// Stream returns a new decoder.
func (t *Tokenizer) Stream() *Stream { return &Stream{t: t} }

// Next returns the text that is certain once id has been added. It may be empty.
func (s *Stream) Next(id int) string {
	if s.t.special[id] {
		return ""
	}
	s.pending = append(s.pending, s.t.texts[id]...)
	text, rest := valid(s.pending, false)
	s.pending = append(s.pending[:0], rest...)
	return text
}

// Rest returns what is still waiting at the end; the Stream is empty afterwards.
func (s *Stream) Rest() string {
	text, _ := valid(s.pending, true)
	s.pending = nil
	return text
}

// valid converts b to UTF-8, with U+FFFD for each maximal part of a broken sequence. An
// incomplete sequence at the end is returned as rest, or replaced when last is set.
func valid(b []byte, last bool) (text string, rest []byte) {
	var out strings.Builder
	for len(b) > 0 {
		if !last && !utf8.FullRune(b) {
			return out.String(), b
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			n = brokenLen(b)
		}
		out.WriteRune(r)
		b = b[n:]
	}
	return out.String(), nil
}

// brokenLen is the length of the longest start of b that could have become a character.
func brokenLen(b []byte) int {
	n := 1
	for n < len(b) && !utf8.FullRune(b[:n]) && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}
