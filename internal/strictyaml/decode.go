package strictyaml

import (
	"cmp"
	"encoding"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/nearest"
)

// A Decoder fills Go values. Its zero value with a Report is ready to use.
type Decoder struct {
	Report *Report
	// Unused names, for a struct, keys that are accepted with a warning, and why they have
	// no effect. A struct with an entry takes no other unknown key into its inline map.
	Unused map[reflect.Type]map[string]string
	// Include reads, for a struct, the file that a plain string in its place names. It
	// returns nil after reporting why that is not possible.
	Include map[reflect.Type]func(path string, at *Place) *Value
	// Hints says, for a field of a struct, what to write where its value has the wrong type.
	Hints map[reflect.Type]map[string]string

	root reflect.Type
}

// Decode fills into, a pointer, from v and reports everything that does not fit. What fits
// is filled in nevertheless. A null leaves the zero value; a nil v decodes nothing.
func (d *Decoder) Decode(v *Value, into any) {
	if v == nil {
		return
	}
	out := reflect.ValueOf(into).Elem()
	d.root = out.Type()
	d.decode(v, out)
}

func (d *Decoder) decode(v *Value, out reflect.Value) {
	switch {
	case v.kind == badKind || v.kind == nullKind:
		return
	case out.Kind() == reflect.Pointer:
		out.Set(reflect.New(out.Type().Elem()))
		d.decode(v, out.Elem())
		return
	}
	if t, ok := reflect.TypeAssert[encoding.TextUnmarshaler](out.Addr()); ok {
		d.text(v, t)
		return
	}
	if out.Type() == reflect.TypeFor[time.Duration]() {
		d.duration(v, out)
		return
	}
	switch out.Kind() {
	case reflect.Interface:
		d.any(v, out)
	case reflect.Struct:
		d.structure(v, out)
	case reflect.Map:
		d.mapping(v, out)
	case reflect.Slice, reflect.Array:
		d.list(v, out)
	default:
		d.scalar(v, out)
	}
}

func (d *Decoder) wrong(v *Value, want, hint string) {
	d.Report.fail(v.place, cmp.Or(v.hint, hint), "want %s, have %s", want, v.kind)
}

// text hands text and whole numbers to a type with a syntax of its own. Its error must not
// quote what it got.
func (d *Decoder) text(v *Value, out encoding.TextUnmarshaler) {
	s, ok := v.data.(string)
	if n, isInt := v.data.(int); isInt {
		s, ok = big.NewInt(int64(n)).String(), true
	}
	if !ok {
		d.wrong(v, "text or a whole number", "")
	} else if err := out.UnmarshalText([]byte(s)); err != nil {
		d.Report.fail(v.place, "", "%s", err)
	}
}

func (d *Decoder) any(v *Value, out reflect.Value) {
	if out.NumMethod() > 0 {
		d.cannotFill(v, out)
		return
	}
	out.Set(reflect.ValueOf(v.any()))
}

func (d *Decoder) cannotFill(v *Value, out reflect.Value) {
	d.Report.fail(v.place, "", "the field has a Go type that YAML cannot fill: %s", out.Type())
}

func (d *Decoder) duration(v *Value, out reflect.Value) {
	s, _ := v.data.(string)
	t, err := time.ParseDuration(s)
	if err != nil {
		d.wrong(v, "a duration", "write a number with a unit, such as 90s or 5m")
		return
	}
	out.SetInt(int64(t))
}

func (d *Decoder) mapping(v *Value, out reflect.Value) {
	if v.kind != mapKind {
		d.wrong(v, mapKind.String(), "")
		return
	}
	t := out.Type()
	if t.Key().Kind() != reflect.String {
		d.cannotFill(v, out)
		return
	}
	m := reflect.MakeMapWithSize(t, len(v.fields))
	for _, f := range v.fields {
		if !f.text && t.Elem().Kind() != reflect.Interface {
			d.Report.fail(f.value.place, "put the key in quotes", "the key is not text but a number, true, false or null")
			continue
		}
		item := reflect.New(t.Elem()).Elem()
		if f.value.kind == nullKind && t.Elem().Kind() == reflect.String {
			d.wrong(f.value, textKind.String(), `write "" for an empty text`)
			continue
		}
		d.decode(f.value, item)
		m.SetMapIndex(reflect.ValueOf(f.key).Convert(t.Key()), item)
	}
	out.Set(m)
}

func (d *Decoder) list(v *Value, out reflect.Value) {
	if v.kind != listKind {
		d.wrong(v, listKind.String(), "begin each item with a - on a line of its own")
		return
	}
	if out.Kind() == reflect.Slice {
		out.Set(reflect.MakeSlice(out.Type(), len(v.items), len(v.items)))
	} else if len(v.items) != out.Len() {
		d.Report.fail(v.place, "", "want a list of %d, have one of %d", out.Len(), len(v.items))
		return
	}
	for i, item := range v.items {
		if item.kind == nullKind && out.Type().Elem().Kind() != reflect.Interface {
			d.Report.fail(item.place, "remove it or fill it in", "the item is empty")
			continue
		}
		d.decode(item, out.Index(i))
	}
}

func (d *Decoder) structure(v *Value, out reflect.Value) {
	info := describe(out.Type())
	if v.kind == textKind {
		if include := d.Include[out.Type()]; include != nil {
			if doc := include(v.data.(string), v.place); doc != nil && doc.kind == mapKind {
				d.structure(doc, out)
			} else if doc != nil {
				d.wrong(doc, mapKind.String(), "")
			}
			return
		}
		if short, ok := info.short(); ok {
			d.decode(v, out.FieldByIndex(short.index))
			return
		}
	}
	if v.kind != mapKind {
		d.wrong(v, mapKind.String(), "its fields are "+strings.Join(slices.Sorted(slices.Values(info.names())), ", "))
		return
	}
	for _, f := range v.fields {
		d.field(v, f, &info, out)
	}
}

func (d *Decoder) field(v *Value, f field, info *structInfo, out reflect.Value) {
	unused, closed := d.Unused[out.Type()]
	why, warn := unused[f.key]
	if warn {
		d.Report.warn(d.key(v, f), "%s", why)
	}
	if known, ok := info.field(f.key); ok && f.text {
		f.value.hint = d.Hints[out.Type()][f.key]
		d.decode(f.value, out.FieldByIndex(known.index))
		return
	}
	switch {
	case info.inline != nil && (warn || !closed):
		extra := out.FieldByIndex(info.inline)
		if extra.IsNil() {
			extra.Set(reflect.MakeMap(extra.Type()))
		}
		item := reflect.New(extra.Type().Elem()).Elem()
		d.decode(f.value, item)
		extra.SetMapIndex(reflect.ValueOf(f.key).Convert(extra.Type().Key()), item)
	case out.Type() == d.root && strings.HasPrefix(f.key, "x-"): // holds what anchors stand at
	case !warn:
		d.unknown(v, f, info, unused)
	}
}

// unknown reports a key that the struct does not have. The field it was meant to be counts
// as told: that it is missing is the same mistake.
func (d *Decoder) unknown(v *Value, f field, info *structInfo, unused map[string]string) {
	if d.Report.full() {
		return
	}
	names := info.names()
	for name := range unused {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hint := "known are " + strings.Join(names, ", ")
	if len(names) == 0 {
		hint = "remove it"
	}
	if near := nearest.Of(f.key, names, 1); len(near) > 0 {
		hint = "did you mean " + near[0] + "?"
		if !slices.ContainsFunc(v.fields, func(f field) bool { return f.key == near[0] }) {
			d.Report.tell((&Place{parent: v.place, segment: Key(near[0])}).Path())
		}
	} else if path := home(d.root, f.key); path != "" {
		hint = f.key + " belongs to " + path
	}
	d.Report.fail(d.key(v, f), hint, "unknown field")
}

// key is the place of f's key, also where v came from a file by way of Go.
func (d *Decoder) key(v *Value, f field) *Place {
	at := &Place{Pos: f.pos, parent: v.place, segment: Key(f.key)}
	if f.pos == (Pos{}) {
		if known, exact := d.Report.root.At(at.Path()); exact {
			at.Pos = known.key
		}
	}
	return at
}
