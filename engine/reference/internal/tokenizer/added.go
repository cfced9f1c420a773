package tokenizer

import (
	"cmp"
	"slices"
	"strings"
)

// added finds added tokens in text: at each place the longest that matches there.
type added struct {
	tokens [256][]addedToken // by first byte, longest first
	any    bool
}

type addedToken struct {
	text string
	id   int
}

func (a *added) add(text string, id int) {
	if text == "" {
		return
	}
	list := append(a.tokens[text[0]], addedToken{text, id})
	slices.SortStableFunc(list, func(x, y addedToken) int { return cmp.Compare(len(y.text), len(x.text)) })
	a.tokens[text[0]], a.any = list, true
}

// cut calls other with the text between added tokens and token with the ids, in order.
func (a *added) cut(text string, other func(string), token func(id int)) {
	at := 0
	for i := 0; a.any && i < len(text); {
		t, ok := a.match(text[i:])
		if !ok {
			i++
			continue
		}
		if i > at {
			other(text[at:i])
		}
		token(t.id)
		i += len(t.text)
		at = i
	}
	if at < len(text) {
		other(text[at:])
	}
}

func (a *added) match(text string) (addedToken, bool) {
	for _, t := range a.tokens[text[0]] {
		if strings.HasPrefix(text, t.text) {
			return t, true
		}
	}
	return addedToken{}, false
}
