package strictyaml

import (
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
)

func (d *Decoder) scalar(v *Value, out reflect.Value) {
	switch out.Kind() {
	case reflect.String:
		d.str(v, out)
	case reflect.Bool:
		d.boolean(v, out)
	case reflect.Float32, reflect.Float64:
		d.float(v, out)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.int(v, out)
	default:
		d.cannotFill(v, out)
	}
}

func (d *Decoder) str(v *Value, out reflect.Value) {
	switch v.kind {
	case textKind, timeKind:
		out.SetString(v.data.(string))
	case boolKind, intKind, floatKind:
		d.wrong(v, textKind.String(), "put it in quotes")
	default:
		d.wrong(v, textKind.String(), "")
	}
}

// Numbers and booleans may stand in quotes, as pydantic lets them for Ray: what Ray takes
// must load. A warning says so.
func (d *Decoder) asIs(v *Value) {
	d.Report.warn(v.place, "text is read as a number or a boolean here, as in Ray: write it in YAML's own form, without quotes")
}

func (d *Decoder) boolean(v *Value, out reflect.Value) {
	switch data := v.data.(type) {
	case bool:
		out.SetBool(data)
		return
	case int:
		if data == 0 || data == 1 {
			out.SetBool(data == 1)
			return
		}
	case string:
		if s, err := plain(strings.ToLower(data)); err == nil && s.kind == boolKind {
			out.SetBool(s.data.(bool))
			d.asIs(v)
			return
		}
	}
	d.wrong(v, boolKind.String(), "")
}

func (d *Decoder) float(v *Value, out reflect.Value) {
	f, ok := 0.0, true
	switch data := v.data.(type) {
	case float64:
		f = data
	case int:
		f = float64(data)
	case *big.Int:
		f, _ = new(big.Float).SetInt(data).Float64()
	case string:
		if f, ok = number(data); ok {
			d.asIs(v)
		}
	default:
		ok = false
	}
	if !ok {
		d.wrong(v, floatKind.String(), "")
		return
	}
	out.SetFloat(f)
}

func (d *Decoder) int(v *Value, out reflect.Value) {
	n, ok := new(big.Int), true
	switch data := v.data.(type) {
	case int:
		n.SetInt64(int64(data))
	case *big.Int:
		n = data
	case float64:
		ok = whole(data, n)
	case string:
		var f float64
		if _, isInt := n.SetString(strings.TrimSpace(data), 10); !isInt {
			f, ok = number(data)
			ok = ok && whole(f, n)
		}
		if ok {
			d.asIs(v)
		}
	default:
		ok = false
	}
	switch {
	case !ok:
		d.wrong(v, intKind.String(), "")
	case out.CanInt() && n.IsInt64() && !out.OverflowInt(n.Int64()):
		out.SetInt(n.Int64())
	case out.CanUint() && n.IsUint64() && !out.OverflowUint(n.Uint64()):
		out.SetUint(n.Uint64())
	default:
		d.Report.fail(v.place, "", "the number is too large or too small")
	}
}

// whole sets n to f where that has no fraction.
func whole(f float64, n *big.Int) bool {
	if f != math.Trunc(f) || math.IsInf(f, 0) {
		return false
	}
	big.NewFloat(f).Int(n)
	return true
}

// number reads the text of a number as Python does. Words such as nan are not numbers here.
func number(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, err == nil && strings.Trim(s, " +-.0123456789eE") == ""
}
