package jinja

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// method returns what can be called on a value, or nil. None of them changes the value.
func method(v any, name string) any {
	switch v := v.(type) {
	case string:
		if m := stringMethods[name]; m != nil {
			return function(func(_ *frame, args []any, kwargs *Dict) (any, error) { return m(v, args, kwargs) })
		}
	case *Dict:
		if m := dictMethods[name]; m != nil {
			return function(func(_ *frame, args []any, kwargs *Dict) (any, error) { return m(v, args, kwargs) })
		}
	}
	return nil
}

var stringMethods = map[string]func(s string, args []any, kwargs *Dict) (any, error){
	"upper":      simple(upper),
	"lower":      simple(lower),
	"capitalize": simple(capitalize),
	"title":      simple(title),
	"strip":      stripper(true, true),
	"lstrip":     stripper(true, false),
	"rstrip":     stripper(false, true),
	"split":      split,
	"rsplit":     rsplit,
	"splitlines": splitLines,
	"startswith": affix(strings.HasPrefix),
	"endswith":   affix(strings.HasSuffix),
	"removeprefix": func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "prefix")
		return strings.TrimPrefix(s, p.str("prefix")), p.err
	},
	"removesuffix": func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "suffix")
		return strings.TrimSuffix(s, p.str("suffix")), p.err
	},
	"replace": func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "old", "new", "count")
		return replaced(s, p.str("old"), p.str("new"), p.integer("count", -1), p.err)
	},
	"find":  finder(strings.Index),
	"rfind": finder(strings.LastIndex),
	"count": func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "sub")
		return strings.Count(s, p.str("sub")), p.err
	},
	"join": func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "iterable")
		items, err := iterate(p.value("iterable", nil))
		if err != nil {
			return nil, errors.Join(p.err, err)
		}
		return joinAll(s, items, true)
	},
}

func simple(f func(string) string) func(string, []any, *Dict) (any, error) {
	return func(s string, args []any, kwargs *Dict) (any, error) { return f(s), bind(args, kwargs).err }
}

func capitalize(s string) string {
	_, n := utf8.DecodeRuneInString(s)
	return upper(s[:n]) + lower(s[n:])
}

// title is Python's str.title: a letter behind anything but a letter is upper case.
func title(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		first := !inWord
		inWord = unicode.IsLetter(r)
		if first {
			return unicode.ToTitle(r)
		}
		return unicode.ToLower(r)
	}, s)
}

func stripper(left, right bool) func(string, []any, *Dict) (any, error) {
	return func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "chars")
		return strip(s, p.value("chars", nil), left, right, p)
	}
}

// strip removes the characters of a string, or whitespace for None.
func strip(s string, chars any, left, right bool, p *params) (any, error) {
	unwanted := isSpace
	if chars != nil {
		set := p.str("chars")
		unwanted = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, unwanted)
	}
	if right {
		s = strings.TrimRightFunc(s, unwanted)
	}
	return s, p.err
}

func affix(has func(s, affix string) bool) func(string, []any, *Dict) (any, error) {
	return func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "affix")
		if list, ok := p.value("affix", nil).(*List); ok && list.tuple {
			for _, a := range list.Items {
				if a, ok := a.(string); ok && has(s, a) {
					return true, p.err
				}
			}
			return false, p.err
		}
		return has(s, p.str("affix")), p.err
	}
}

// finder returns the place in characters, or -1.
func finder(find func(s, sub string) int) func(string, []any, *Dict) (any, error) {
	return func(s string, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "sub")
		i := find(s, p.str("sub"))
		if i > 0 {
			i = utf8.RuneCountInString(s[:i])
		}
		return i, p.err
	}
}

func replaced(s, from, to string, n int, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	if c := strings.Count(s, from); len(to) > 0 && c > maxSize/len(to) {
		return nil, errTooLarge
	}
	return strings.Replace(s, from, to, n), nil
}

func split(s string, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "sep", "maxsplit")
	n := p.integer("maxsplit", -1)
	if p.value("sep", nil) == nil {
		return splitSpace(s, n), p.err
	}
	sep := p.str("sep")
	if sep == "" {
		return nil, errors.Join(p.err, errors.New("empty separator"))
	}
	if n >= 0 {
		n++
	}
	return stringList(strings.SplitN(s, sep, n)), p.err
}

// splitSpace splits at runs of whitespace, at most n times.
func splitSpace(s string, n int) *List {
	var parts []string
	for s = strings.TrimLeftFunc(s, isSpace); s != ""; s = strings.TrimLeftFunc(s, isSpace) {
		end := strings.IndexFunc(s, isSpace)
		if end < 0 || len(parts) == n {
			end = len(s)
		}
		parts, s = append(parts, s[:end]), s[end:]
	}
	return stringList(parts)
}

func rsplit(s string, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "sep", "maxsplit")
	sep, n := p.str("sep"), p.integer("maxsplit", -1)
	if sep == "" {
		return nil, errors.Join(p.err, errors.New("a separator is required"))
	}
	parts := strings.Split(s, sep)
	if extra := len(parts) - n - 1; n >= 0 && extra > 0 {
		parts = append([]string{strings.Join(parts[:extra+1], sep)}, parts[extra+1:]...)
	}
	return stringList(parts), p.err
}

func splitLines(s string, args []any, kwargs *Dict) (any, error) {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	if s = strings.TrimSuffix(s, "\n"); s == "" {
		return &List{}, bind(args, kwargs).err
	}
	return stringList(strings.Split(s, "\n")), bind(args, kwargs).err
}

func stringList(parts []string) *List {
	l := &List{Items: make([]any, len(parts))}
	for i, p := range parts {
		l.Items[i] = p
	}
	return l
}

var dictMethods = map[string]func(d *Dict, args []any, kwargs *Dict) (any, error){
	"keys": func(d *Dict, args []any, kwargs *Dict) (any, error) {
		return &List{Items: d.keys}, bind(args, kwargs).err
	},
	"items":  func(d *Dict, args []any, kwargs *Dict) (any, error) { return d.items(), bind(args, kwargs).err },
	"values": func(d *Dict, args []any, kwargs *Dict) (any, error) { return d.list(), bind(args, kwargs).err },
	"get": func(d *Dict, args []any, kwargs *Dict) (any, error) {
		p := bind(args, NewDict(), "key", "default")
		if len(args) == 0 || len(kwargs.keys) > 0 {
			return nil, errors.New("get takes one or two positional arguments")
		}
		key := args[0]
		if err := hashable(key); err != nil {
			return nil, err
		}
		if v, ok := d.Get(key); ok {
			return v, p.err
		}
		return p.value("default", nil), p.err
	},
}

// items returns pairs of key and value.
func (d *Dict) items() *List {
	l := &List{}
	for _, k := range d.keys {
		l.Items = append(l.Items, &List{Items: []any{k, d.at(k)}, tuple: true})
	}
	return l
}

func (d *Dict) list() *List {
	l := &List{}
	for _, k := range d.keys {
		l.Items = append(l.Items, d.at(k))
	}
	return l
}
