package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// FromJSON converts JSON to a value. Keys keep their order, and 1 and 1.0 stay different.
func FromJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := decode(d)
	if err != nil {
		return nil, err
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

func decode(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Number:
		if strings.ContainsAny(token.String(), ".eE") {
			return token.Float64()
		}
		n, err := token.Int64()
		return int(n), err
	case json.Delim:
		if token == '[' {
			return decodeList(d)
		}
		return decodeDict(d)
	default:
		return token, nil
	}
}

func decodeList(d *json.Decoder) (any, error) {
	list := &List{}
	for d.More() {
		item, err := decode(d)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, item)
	}
	_, err := d.Token()
	return list, err
}

func decodeDict(d *json.Decoder) (any, error) {
	dict := NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := decode(d)
		if err != nil {
			return nil, err
		}
		dict.Set(key, v)
	}
	_, err := d.Token()
	return dict, err
}

// toJSON is the filter tojson of transformers: Python's json.dumps, which differs from Go's
// in spaces, order and escapes.
func toJSON(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "ensure_ascii", "indent", "separators", "sort_keys")
	w := &jsonWriter{item: ", ", key: ": ", ascii: p.flag("ensure_ascii"), sort: p.flag("sort_keys")}
	switch indent := p.value("indent", nil).(type) {
	case nil:
	case string:
		w.indent, w.pretty, w.item = indent, true, ","
	default:
		w.indent, w.pretty, w.item = strings.Repeat(" ", min(max(p.integer("indent", 0), 0), 100)), true, ","
	}
	if list, ok := p.value("separators", nil).(*List); ok && len(list.Items) == 2 {
		w.item, w.key = text(list.Items[0]), text(list.Items[1])
	}
	if p.err != nil {
		return nil, p.err
	}
	err := w.write(v, 0)
	return w.out.String(), err
}

type jsonWriter struct {
	out         strings.Builder
	item, key   string // separators
	indent      string
	pretty      bool
	ascii, sort bool
}

func (w *jsonWriter) write(v any, depth int) error {
	if depth > maxDepth || w.out.Len() > maxSize {
		return errTooLarge
	}
	switch v := v.(type) {
	case nil:
		w.out.WriteString("null")
	case bool:
		w.out.WriteString(strconv.FormatBool(v))
	case int:
		w.out.WriteString(strconv.Itoa(v))
	case float64:
		w.out.WriteString(jsonFloat(v))
	case string:
		w.quote(v)
	case *List:
		return w.list(v, depth)
	case *Dict:
		return w.dict(v, depth)
	default:
		return fmt.Errorf("object of type %s is not JSON serializable", typeName(v))
	}
	return nil
}

func jsonFloat(f float64) string {
	s := floatText(f)
	if special, ok := map[string]string{"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[s]; ok {
		return special
	}
	return s
}

func (w *jsonWriter) list(l *List, depth int) error {
	if len(l.Items) == 0 {
		w.out.WriteString("[]")
		return nil
	}
	w.out.WriteByte('[')
	for i, v := range l.Items {
		w.between(i, depth)
		if err := w.write(v, depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.out.WriteByte(']')
	return nil
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	if len(d.keys) == 0 {
		w.out.WriteString("{}")
		return nil
	}
	keys := slices.Clone(d.keys)
	if w.sort {
		var err error
		if keys, err = sorted(keys, keys, true, false); err != nil {
			return err
		}
	}
	w.out.WriteByte('{')
	for i, k := range keys {
		w.between(i, depth)
		name, ok := k.(string)
		if !ok {
			inner := &jsonWriter{}
			if err := inner.write(k, 0); err != nil {
				return err
			}
			name = inner.out.String()
		}
		w.quote(name)
		w.out.WriteString(w.key)
		if err := w.write(d.at(k), depth+1); err != nil {
			return err
		}
	}
	w.newline(depth)
	w.out.WriteByte('}')
	return nil
}

func (w *jsonWriter) between(i, depth int) {
	if i > 0 {
		w.out.WriteString(w.item)
	}
	w.newline(depth + 1)
}

func (w *jsonWriter) newline(depth int) {
	if w.pretty {
		w.out.WriteString("\n" + strings.Repeat(w.indent, depth))
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\f': `\f`, '\b': `\b`}

func (w *jsonWriter) quote(s string) {
	w.out.WriteByte('"')
	for _, r := range s {
		escape, ok := jsonEscapes[r]
		switch {
		case ok:
			w.out.WriteString(escape)
		case r < 0x20 || (w.ascii && r > 0x7e && r < 0x10000):
			fmt.Fprintf(&w.out, `\u%04x`, r)
		case w.ascii && r >= 0x10000:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&w.out, `\u%04x\u%04x`, high, low)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}
