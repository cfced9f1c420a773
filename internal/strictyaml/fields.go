package strictyaml

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// fieldInfo is how a field of a struct is reached and named.
type fieldInfo struct {
	name  string
	typ   reflect.Type
	index []int
	short bool
}

// structInfo is what a struct accepts.
type structInfo struct {
	fields []fieldInfo
	inline []int // of the map that takes all other keys; nil if there is none
}

// describe reads the tags of t. A field without a tag is named in lower case, embedded
// structs lend their fields.
func describe(t reflect.Type) structInfo {
	var info structInfo
	for i := range t.NumField() {
		f := t.Field(i)
		tag, hasTag := f.Tag.Lookup("yaml")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && !hasTag && f.Type.Kind() == reflect.Struct:
			info.embed(i, describe(f.Type))
		case !f.IsExported() || name == "-":
		case options == "inline":
			info.inline = f.Index
		default:
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			info.fields = append(info.fields, fieldInfo{name, f.Type, f.Index, options == "short"})
		}
	}
	return info
}

func (info *structInfo) embed(i int, inner structInfo) {
	for _, f := range inner.fields {
		f.index = append([]int{i}, f.index...)
		info.fields = append(info.fields, f)
	}
	if inner.inline != nil {
		info.inline = append([]int{i}, inner.inline...)
	}
}

func (info *structInfo) field(name string) (fieldInfo, bool) {
	i := slices.IndexFunc(info.fields, func(f fieldInfo) bool { return f.name == name })
	if i < 0 {
		return fieldInfo{}, false
	}
	return info.fields[i], true
}

func (info *structInfo) short() (fieldInfo, bool) {
	i := slices.IndexFunc(info.fields, func(f fieldInfo) bool { return f.short })
	if i < 0 {
		return fieldInfo{}, false
	}
	return info.fields[i], true
}

func (info *structInfo) names() []string {
	names := make([]string, len(info.fields))
	for i, f := range info.fields {
		names[i] = f.name
	}
	return names
}

// home finds where, in the type t, a field of that name belongs: the way to the struct
// that has it, the shortest one first. It returns "" when there is none.
func home(t reflect.Type, name string) string {
	type place struct {
		typ  reflect.Type
		path string
	}
	seen := map[reflect.Type]bool{}
	for queue := []place{{t, ""}}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		for {
			if k := p.typ.Kind(); k == reflect.Slice || k == reflect.Array {
				p.path += "[]"
			} else if k != reflect.Pointer {
				break
			}
			p.typ = p.typ.Elem()
		}
		if p.typ.Kind() != reflect.Struct || seen[p.typ] {
			continue
		}
		seen[p.typ] = true
		info := describe(p.typ)
		if _, ok := info.field(name); ok {
			return cmp.Or(p.path, "the top level")
		}
		for _, f := range info.fields {
			queue = append(queue, place{f.typ, strings.TrimPrefix(p.path+"."+f.name, ".")})
		}
	}
	return ""
}
