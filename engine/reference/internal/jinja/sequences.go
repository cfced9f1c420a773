package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

func listFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	items, err := iterate(v)
	return &List{Items: slices.Clone(items)}, errors.Join(err, bind(args, kwargs).err)
}

func firstFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	items, err := iterate(v)
	if err != nil || len(items) == 0 {
		return undefined{"No first item, sequence was empty."}, err
	}
	return items[0], bind(args, kwargs).err
}

func lastFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	items, err := iterate(v)
	if err != nil || len(items) == 0 {
		return undefined{"No last item, sequence was empty."}, err
	}
	return items[len(items)-1], bind(args, kwargs).err
}

func reverseFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	items, err := iterate(v)
	items = slices.Clone(items)
	slices.Reverse(items)
	if _, ok := v.(string); ok {
		return joinAll("", items, true)
	}
	return &List{Items: items}, errors.Join(err, bind(args, kwargs).err)
}

func itemsFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	switch v := v.(type) {
	case *Dict:
		return v.items(), bind(args, kwargs).err
	case undefined:
		return &List{}, nil
	default:
		return nil, errors.New("can only get item pairs from a mapping")
	}
}

func joinFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "d", "attribute")
	items, err := iterate(v)
	if err != nil {
		return nil, err
	}
	if items, err = attributes(items, p.value("attribute", nil), nil); err != nil {
		return nil, err
	}
	if p.err != nil {
		return nil, p.err
	}
	return joinAll(text(p.value("d", "")), items, false)
}

// joinAll joins items; Python's own join takes strings only.
func joinAll(sep string, items []any, stringsOnly bool) (any, error) {
	parts, n := make([]string, len(items)), 0
	for i, v := range items {
		if _, ok := v.(string); stringsOnly && !ok {
			return nil, fmt.Errorf("sequence item %d: expected str instance, %s found", i, typeName(v))
		}
		parts[i] = text(v)
		if n += len(parts[i]) + len(sep); n > maxSize {
			return nil, errTooLarge
		}
	}
	return strings.Join(parts, sep), nil
}

// attributes replaces each item by one of its attributes, such as "function.name". For nil
// the items stay; otherwise stands for a missing one, unless nil.
func attributes(items []any, path, otherwise any) ([]any, error) {
	if path == nil {
		return items, nil
	}
	out := make([]any, len(items))
	for i, v := range items {
		for part := range strings.SplitSeq(text(path), ".") {
			var key any = part
			if n, err := strconv.Atoi(part); err == nil {
				key = n
			}
			var err error
			if v, err = item(v, key); err != nil {
				return nil, err
			}
			if _, missing := v.(undefined); missing && otherwise != nil {
				v = otherwise
			}
		}
		out[i] = v
	}
	return out, nil
}

// lazily returns the elements of what map and select work on: anything false has none.
func lazily(v any) ([]any, error) {
	if !truth(v) {
		return nil, nil
	}
	return iterate(v)
}

func mapFilter(f *frame, v any, args []any, kwargs *Dict) (any, error) {
	items, err := lazily(v)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		p := bind(nil, kwargs, "attribute", "default")
		items, err = attributes(items, p.value("attribute", nil), p.value("default", nil))
		return &generator{items}, errors.Join(p.err, err)
	}
	apply := filterNamed(text(args[0]))
	if apply == nil {
		return nil, fmt.Errorf("there is no filter %q, or it is not supported", text(args[0]))
	}
	out := &generator{}
	for _, item := range items {
		r, err := apply(f, item, args[1:], kwargs)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, r)
	}
	return out, nil
}

// selectFilter keeps the items of which a test holds, or does not: without a test their
// truth counts; with attr, the test is of the attribute named first.
func selectFilter(keep, attr bool) filterFunc {
	return func(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
		items, err := lazily(v)
		if err != nil {
			return nil, err
		}
		tested := items
		if attr {
			if len(args) == 0 {
				return nil, errors.New("missing parameter for attribute name")
			}
			if tested, err = attributes(items, args[0], nil); err != nil {
				return nil, err
			}
			args = args[1:]
		}
		check := func(v any, _ []any) (any, error) { return truth(v), nil }
		if len(args) > 0 {
			if check = tests[text(args[0])]; check == nil {
				return nil, fmt.Errorf("there is no test %q, or it is not supported", text(args[0]))
			}
			args = args[1:]
		}
		out := &generator{}
		for i, v := range tested {
			ok, err := check(v, args)
			if err != nil {
				return nil, err
			}
			if truth(ok) == keep {
				out.items = append(out.items, items[i])
			}
		}
		return out, bind(nil, kwargs).err
	}
}

// folded ignores the case of strings, as sorting does unless told otherwise.
func folded(v any, caseSensitive bool) any {
	if s, ok := v.(string); ok && !caseSensitive {
		return strings.ToLower(s)
	}
	return v
}

// sorted sorts items by keys, stably.
func sorted(items, keys []any, caseSensitive, reverse bool) ([]any, error) {
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	var failed error
	slices.SortStableFunc(order, func(i, j int) int {
		c, err := compare(folded(keys[i], caseSensitive), folded(keys[j], caseSensitive))
		failed = errors.Join(failed, err)
		if reverse {
			return -c
		}
		return c
	})
	out := make([]any, len(items))
	for i, j := range order {
		out[i] = items[j]
	}
	return out, failed
}

func sortFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "reverse", "case_sensitive", "attribute")
	items, err := iterate(v)
	if err != nil {
		return nil, err
	}
	keys, err := attributes(items, p.value("attribute", nil), nil)
	if err != nil {
		return nil, err
	}
	items, err = sorted(items, keys, p.flag("case_sensitive"), p.flag("reverse"))
	return &List{Items: items}, errors.Join(p.err, err)
}

func dictSort(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "case_sensitive", "by", "reverse")
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("%q object has no items", typeName(v))
	}
	keys := d.keys
	if p.str("by", "key") == "value" {
		keys = d.list().Items
	}
	items, err := sorted(d.items().Items, keys, p.flag("case_sensitive"), p.flag("reverse"))
	return &List{Items: items}, errors.Join(p.err, err)
}

func uniqueFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "case_sensitive", "attribute")
	items, err := iterate(v)
	if err != nil {
		return nil, err
	}
	keys, err := attributes(items, p.value("attribute", nil), nil)
	if err != nil {
		return nil, err
	}
	seen, out := NewDict(), &generator{}
	for i, k := range keys {
		if err := hashable(k); err != nil {
			return nil, err
		}
		k = folded(k, p.flag("case_sensitive"))
		if _, ok := seen.Get(k); !ok {
			seen.Set(k, nil)
			out.items = append(out.items, items[i])
		}
	}
	return out, p.err
}

// extremeFilter is max for 1 and min for -1. Of equal items, the first counts.
func extremeFilter(sign int) filterFunc {
	return func(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
		p := bind(args, kwargs, "case_sensitive", "attribute")
		items, err := iterate(v)
		if err != nil || len(items) == 0 {
			return undefined{"No aggregated item, sequence was empty."}, err
		}
		keys, err := attributes(items, p.value("attribute", nil), nil)
		if err != nil {
			return nil, err
		}
		sensitive, best := p.flag("case_sensitive"), 0
		for i := range keys {
			c, err := compare(folded(keys[i], sensitive), folded(keys[best], sensitive))
			if err != nil {
				return nil, err
			}
			if c*sign > 0 {
				best = i
			}
		}
		return items[best], p.err
	}
}

func sumFilter(_ *frame, v any, args []any, kwargs *Dict) (any, error) {
	p := bind(args, kwargs, "attribute", "start")
	items, err := iterate(v)
	if err != nil {
		return nil, err
	}
	if items, err = attributes(items, p.value("attribute", nil), nil); err != nil {
		return nil, err
	}
	sum := p.value("start", 0)
	for _, item := range items {
		if sum, err = binary("+", sum, item); err != nil {
			return nil, err
		}
	}
	return sum, p.err
}
