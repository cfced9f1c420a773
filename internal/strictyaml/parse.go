package strictyaml

import (
	"bytes"
	"errors"
	"io"

	yaml "go.yaml.in/yaml/v3"
)

// Parse reads the one document of data into a Value; name is for positions. It returns nil
// when nothing can be decoded, and the report says why.
func Parse(name string, data []byte, r *Report) *Value {
	r.root = &Place{Pos: Pos{File: name, Line: 1, Column: 1}}
	return parse(name, data, r, r.root)
}

// Include reads a further file that stands for the value at place.
func Include(name string, data []byte, r *Report, place *Place) *Value {
	place.Pos = Pos{File: name, Line: 1, Column: 1}
	return parse(name, data, r, place)
}

func parse(name string, data []byte, r *Report, place *Place) *Value {
	r.files = append(r.files, name)
	b := &builder{file: name, report: r, active: map[*yaml.Node]bool{}}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	doc, err := document(dec)
	switch {
	case errors.Is(err, io.EOF):
		r.fail(place, r.Wanted, "the file is empty")
		return nil
	case err != nil:
		syntax(name, data, err, r)
		return nil
	}
	if second, err := document(dec); err == nil {
		r.fail(&Place{Pos: b.pos(second)}, "keep one document in a file", "a second document begins here")
	} else if !errors.Is(err, io.EOF) {
		syntax(name, data, err, r)
	}
	place.Pos = b.pos(doc.Content[0])
	return b.build(doc.Content[0], place)
}

// document returns the next document. The parser is not ours: should it panic on some
// input, that is a syntax error like any other.
func document(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("yaml: it cannot be read")
		}
	}()
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil {
		return nil, err
	}
	if len(doc.Content) == 0 {
		return nil, io.EOF
	}
	return doc, nil
}
