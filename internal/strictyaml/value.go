package strictyaml

import "math/big"

// A Value is a node of a document: aliases and merge keys are resolved, scalars have their
// YAML 1.1 type.
type Value struct {
	place  *Place
	kind   kind
	data   any // bool, int, *big.Int, float64 or string
	items  []*Value
	fields []field
	hint   string // what to write instead, where the type is wrong
}

type field struct {
	key   string
	text  bool // false: the key is a number, a boolean or null, written as JSON would
	pos   Pos  // of the key
	value *Value
}

type kind uint8

const (
	badKind kind = iota // reported already
	nullKind
	boolKind
	intKind
	floatKind
	textKind
	timeKind // a date or time, kept as the text that was written
	listKind
	mapKind
)

var kindNames = [...]string{
	badKind: "something unreadable", nullKind: "nothing", boolKind: "true or false", intKind: "a whole number",
	floatKind: "a number", textKind: "text", timeKind: "a date", listKind: "a list", mapKind: "a mapping",
}

func (k kind) String() string { return kindNames[k] }

// Place returns the path and position of v; nil for a nil Value.
func (v *Value) Place() *Place {
	if v == nil {
		return nil
	}
	return v.place
}

// Keys yields the keys of a mapping, in order; of anything else, none.
func (v *Value) Keys(yield func(string) bool) {
	if v == nil {
		return
	}
	for _, f := range v.fields {
		if !yield(f.key) {
			return
		}
	}
}

// any returns v as nil, bool, int (*big.Int where that is too small), float64, string,
// []any or map[string]any.
func (v *Value) any() any {
	switch v.kind {
	case listKind:
		list := make([]any, len(v.items))
		for i, item := range v.items {
			list[i] = item.any()
		}
		return list
	case mapKind:
		m := make(map[string]any, len(v.fields))
		for _, f := range v.fields {
			m[f.key] = f.value.any()
		}
		return m
	default:
		return v.data
	}
}

// integer returns n as an int if it fits, else as it is.
func integer(n *big.Int) any {
	if n.IsInt64() && int64(int(n.Int64())) == n.Int64() {
		return int(n.Int64())
	}
	return n
}
