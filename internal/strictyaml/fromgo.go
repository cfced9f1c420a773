package strictyaml

import (
	"cmp"
	"math/big"
	"reflect"
	"slices"
)

// FromGo makes a Value of maps, slices, pointers and scalars of Go, so that what a program
// gives is decoded by the same rules as a file. path is where it stands.
func FromGo(v any, path string, r *Report) *Value {
	return (&goBuilder{report: r}).build(reflect.ValueOf(v), &Place{segment: path}, 0)
}

type goBuilder struct {
	report *Report
	values int
}

func (b *goBuilder) build(v reflect.Value, at *Place, depth int) *Value {
	out := &Value{place: at}
	if b.values++; b.values > maxValues || depth > maxDepth {
		b.report.fail(at, "", "the value is too large or contains itself")
		return out
	}
	switch v.Kind() {
	case reflect.Invalid:
		out.kind = nullKind
	case reflect.Interface, reflect.Pointer:
		if n, ok := reflect.TypeAssert[*big.Int](v); ok && n != nil {
			out.kind, out.data = intKind, integer(n)
			return out
		}
		return b.build(v.Elem(), at, depth+1)
	case reflect.Bool:
		out.kind, out.data = boolKind, v.Bool()
	case reflect.String:
		out.kind, out.data = textKind, v.String()
	case reflect.Float32, reflect.Float64:
		out.kind, out.data = floatKind, v.Float()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		out.kind, out.data = intKind, integer(big.NewInt(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		out.kind, out.data = intKind, integer(new(big.Int).SetUint64(v.Uint()))
	case reflect.Slice, reflect.Array:
		out.kind = listKind
		for i := range v.Len() {
			out.items = append(out.items, b.build(v.Index(i), at.child(index(i), Pos{}), depth+1))
		}
	case reflect.Map:
		b.mapping(out, v, depth)
	default:
		b.report.fail(at, "use maps, lists and scalars", "a Go value of type %s is not allowed", v.Type())
	}
	return out
}

func (b *goBuilder) mapping(out *Value, m reflect.Value, depth int) {
	if m.Type().Key().Kind() != reflect.String {
		b.report.fail(out.place, "use a map[string]any", "a Go value of type %s is not allowed", m.Type())
		return
	}
	out.kind = mapKind
	keys := slices.SortedFunc(slices.Values(m.MapKeys()), func(a, b reflect.Value) int {
		return cmp.Compare(a.String(), b.String())
	})
	for _, k := range keys {
		value := b.build(m.MapIndex(k), out.place.child(Key(k.String()), Pos{}), depth+1)
		out.fields = append(out.fields, field{key: k.String(), text: true, value: value})
	}
}
