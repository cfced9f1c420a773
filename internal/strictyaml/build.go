package strictyaml

import (
	"fmt"
	"slices"

	yaml "go.yaml.in/yaml/v3"
)

// Bounds of a document, so that one of a few lines cannot fill the memory by aliases.
const (
	maxDepth  = 100
	maxValues = 100_000
)

// A builder makes Values of one file's nodes: scalars get their type, aliases and merge
// keys are replaced by what they stand for.
type builder struct {
	file   string
	report *Report
	active map[*yaml.Node]bool // from the root to the current node, to find cycles
	depth  int
	values int
}

// build makes the Value of n for a place whose position is set.
func (b *builder) build(n *yaml.Node, at *Place) *Value {
	v := &Value{place: at}
	if !b.enter(n, at) {
		return v
	}
	defer b.leave(n)
	switch n.Kind {
	case yaml.AliasNode:
		return b.build(n.Alias, at)
	case yaml.ScalarNode:
		b.scalar(n, v)
	case yaml.SequenceNode:
		if b.collectionTag(n, "!!seq", at) {
			v.kind = listKind
			for i, c := range n.Content {
				v.items = append(v.items, b.build(c, at.child(index(i), b.pos(c))))
			}
		}
	case yaml.MappingNode:
		if b.collectionTag(n, "!!map", at) {
			v.kind = mapKind
			v.fields = b.fields(n, at, map[string]*yaml.Node{})
		}
	default:
		b.report.fail(at, "", "this cannot be read")
	}
	return v
}

func (b *builder) pos(n *yaml.Node) Pos { return Pos{b.file, max(n.Line, 1), max(n.Column, 1)} }

// enter counts n against the bounds.
func (b *builder) enter(n *yaml.Node, at *Place) bool {
	b.values++
	switch {
	case b.values == maxValues+1:
		b.report.fail(at, "write less, or use fewer aliases", "the document has more than %d values", maxValues)
	case b.values > maxValues:
	case b.depth >= maxDepth:
		b.report.fail(at, "", "the document is nested more than %d deep", maxDepth)
	case b.active[n]:
		b.report.fail(at, "", "an alias stands for something that contains it")
	default:
		b.active[n] = true
		b.depth++
		return true
	}
	return false
}

func (b *builder) leave(n *yaml.Node) {
	delete(b.active, n)
	b.depth--
}

func (b *builder) scalar(n *yaml.Node, v *Value) {
	s, err := b.resolve(n)
	if err != nil {
		b.report.fail(v.place, "put it in quotes", "%s", err)
		return
	}
	v.kind, v.data = s.kind, s.data
	v.place.null = s.kind == nullKind
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func (b *builder) resolve(n *yaml.Node) (scalar, error) {
	switch {
	case n.Style&yaml.TaggedStyle != 0:
		return tagged(n.Tag, n.Value)
	case n.Style&quoted != 0:
		return scalar{textKind, n.Value}, nil
	default:
		return plain(n.Value)
	}
}

func (b *builder) collectionTag(n *yaml.Node, want string, at *Place) bool {
	if n.Style&yaml.TaggedStyle == 0 || n.Tag == want {
		return true
	}
	b.report.fail(at, "remove the tag", "%s", errTag)
	return false
}

// fields returns the keys of n and then, for those that n does not have, of the mappings
// it merges ("<<"). taken holds the keys that are there already.
func (b *builder) fields(n *yaml.Node, at *Place, taken map[string]*yaml.Node) []field {
	var out []field
	var merges []*yaml.Node
	own := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := n.Content[i], n.Content[i+1]
		if isMerge(k) {
			merges = append(merges, value)
			continue
		}
		f, ok := b.key(k, at)
		if !ok || b.duplicate(f.key, k, at, own) {
			continue
		}
		own[f.key] = k
		if taken[f.key] != nil {
			continue
		}
		taken[f.key] = k
		child := at.child(Key(f.key), b.pos(value))
		child.key = f.pos
		f.value = b.build(value, child)
		out = append(out, f)
	}
	for _, m := range slices.Backward(merges) { // the last one wins, as in PyYAML
		where := &Place{Pos: b.pos(m), parent: at, segment: `["<<"]`}
		out = append(out, b.merge(m, where, taken)...)
	}
	return out
}

func isMerge(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && k.Style&(quoted|yaml.TaggedStyle) == 0
}

func (b *builder) duplicate(key string, k *yaml.Node, at *Place, own map[string]*yaml.Node) bool {
	first := own[key]
	if first == nil {
		return false
	}
	b.report.fail(&Place{Pos: b.pos(k), parent: at, segment: Key(key)}, "remove one of them",
		"the key is given twice, first in line %d", first.Line)
	return true
}

// merge returns the fields of the mapping, or of the list of mappings, that follows "<<".
func (b *builder) merge(n *yaml.Node, where *Place, taken map[string]*yaml.Node) []field {
	if !b.enter(n, where) {
		return nil
	}
	defer b.leave(n)
	switch n.Kind {
	case yaml.AliasNode:
		return b.merge(n.Alias, where, taken)
	case yaml.MappingNode:
		return b.fields(n, where.parent, taken)
	case yaml.SequenceNode:
		var out []field
		for _, c := range n.Content {
			if c.Kind == yaml.AliasNode {
				c = c.Alias
			}
			if c.Kind != yaml.MappingNode {
				b.report.fail(where, "", "only mappings can be merged")
				return nil
			}
			out = append(out, b.merge(c, where, taken)...)
		}
		return out
	default:
		b.report.fail(where, "", "only mappings can be merged")
		return nil
	}
}

// key resolves a key. Numbers, booleans and null become what they are as keys in JSON.
func (b *builder) key(k *yaml.Node, at *Place) (field, bool) {
	pos := b.pos(k)
	if k.Kind == yaml.AliasNode {
		k = k.Alias
	}
	if k.Kind != yaml.ScalarNode {
		b.report.fail(&Place{Pos: pos, parent: at}, "", "a key must be text")
		return field{}, false
	}
	f := field{key: k.Value, pos: pos, text: true}
	s, err := b.resolve(k)
	switch {
	case k.Value == "=":
	case err != nil:
		b.report.fail(&Place{Pos: pos, parent: at}, "put it in quotes", "a key cannot be read: %s", err)
		return field{}, false
	case s.kind == nullKind:
		f.key, f.text = "null", false
	case s.kind == boolKind || s.kind == intKind:
		f.key, f.text = fmt.Sprint(s.data), false
	case s.kind == floatKind:
		b.report.fail(&Place{Pos: pos, parent: at}, "put it in quotes", "a key must be text, not a number with a fraction")
		return field{}, false
	}
	return f, true
}
