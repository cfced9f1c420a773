package strictyaml_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

type count int

func (c *count) UnmarshalText(b []byte) error {
	if _, err := fmt.Sscan(string(b), (*int)(c)); err != nil {
		return errors.New("want a count")
	}
	return nil
}

type source struct {
	URI   string   `yaml:"uri,short"`
	Files []string `yaml:"files"`
}

type common struct {
	Note string `yaml:"note"`
}

type config struct {
	common
	Name     string            `yaml:"name"`
	Max      int               `yaml:"max_model_len"`
	Small    uint8             `yaml:"small"`
	Ratio    *float64          `yaml:"ratio"`
	Eager    *bool             `yaml:"eager"`
	Env      map[string]string `yaml:"env_vars"`
	Source   source            `yaml:"source"`
	Sources  []*source         `yaml:"sources"`
	Pairs    [][2]string       `yaml:"pairs"`
	Count    *count            `yaml:"count"`
	Wait     time.Duration     `yaml:"wait"`
	Old      string            `yaml:"old"`
	Any      any               `yaml:"any"`
	Untagged string
	Hidden   string `yaml:"-"`
	Nested   nested `yaml:"nested"`

	Extra map[string]any `yaml:",inline"`
}

// legacy has fields that are accepted with a warning.
type legacy struct {
	Old   string         `yaml:"old"`
	Extra map[string]any `yaml:",inline"`
}

type nested struct {
	Depth int `yaml:"depth"`
	Width int `yaml:"width"`
}

// closed is config without a place for other keys.
type closed struct {
	Name   string            `yaml:"model_id"`
	Type   string            `yaml:"accelerator_type"`
	Nested nested            `yaml:"nested"`
	Env    map[string]string `yaml:"env_vars"`
	List   []nested          `yaml:"list"`
}

func decode[T any](t *testing.T, text string) (T, []string, *strictyaml.Report) {
	t.Helper()
	var out T
	var r strictyaml.Report
	d := strictyaml.Decoder{Report: &r, Unused: map[reflect.Type]map[string]string{
		reflect.TypeFor[legacy](): {"old": "it has no effect", "older": "it has none either"},
	}}
	d.Decode(strictyaml.Parse("f.yaml", []byte(text), &r), &out)
	var lines []string
	for e := range lifecycle.Errors(r.Err("op")) {
		require.Equal(t, lifecycle.Invalid, e.Kind)
		require.Equal(t, "op", e.Op)
		line := e.Target + ": " + e.Err.Error()
		if e.Hint != "" {
			line += " (" + e.Hint + ")"
		}
		lines = append(lines, line)
	}
	return out, lines, &r
}

func TestDecodeFillsEveryKind(t *testing.T) {
	t.Parallel()
	c, problems, r := decode[config](t, `
name: llama
note: from the embedded struct
max_model_len: 8_192
small: 0xff
ratio: .5
eager: no
env_vars: {A: "1", B: text}
source: s3://bucket/a
sources: [one, {uri: two, files: [x]}]
pairs: [[a, b], [c, d]]
count: 7
wait: 90s
any: [1, {a: ~}]
untagged: lower case
nested: {depth: 3}
other: {k: 010}
more: 2024-01-02
`)
	require.Empty(t, problems)
	require.Empty(t, r.Warnings(nil))
	ratio, eager, seven := .5, false, count(7)
	require.Equal(t, config{
		common: common{"from the embedded struct"}, Name: "llama", Max: 8192, Small: 255, Ratio: &ratio, Eager: &eager,
		Env: map[string]string{"A": "1", "B": "text"}, Source: source{URI: "s3://bucket/a"},
		Sources: []*source{{URI: "one"}, {URI: "two", Files: []string{"x"}}},
		Pairs:   [][2]string{{"a", "b"}, {"c", "d"}}, Count: &seven, Wait: 90 * time.Second,
		Any: []any{1, map[string]any{"a": nil}}, Untagged: "lower case", Nested: nested{Depth: 3},
		Extra: map[string]any{"other": map[string]any{"k": 8}, "more": "2024-01-02"},
	}, c)
}

func TestNullLeavesTheZeroValue(t *testing.T) {
	t.Parallel()
	c, problems, _ := decode[config](t, "name:\nmax_model_len: ~\nratio: null\nenv_vars:\nsource:\nany:\nextra:\n")
	require.Empty(t, problems)
	require.Equal(t, config{Extra: map[string]any{"extra": nil}}, c)
}

// All that is wrong is told at once, in the order of the file.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, problems, _ := decode[closed](t, `accelerator_typ: A10G
model_idd: m
nested:
  depht: 1
  width: [1]
env_vars:
  TOKEN: 12
  FLAG: yes
  EMPTY:
  NO: "1"
list:
  - depth: many
  -
  - text
depth: 5
zzz: 1
`)
	require.Equal(t, []string{
		`f.yaml:1:1 accelerator_typ: unknown field (did you mean accelerator_type?)`,
		`f.yaml:2:1 model_idd: unknown field (did you mean model_id?)`,
		`f.yaml:4:3 nested.depht: unknown field (did you mean depth?)`,
		`f.yaml:5:10 nested.width: want a whole number, have a list`,
		`f.yaml:7:10 env_vars.TOKEN: want text, have a whole number (put it in quotes)`,
		`f.yaml:8:9 env_vars.FLAG: want text, have true or false (put it in quotes)`,
		`f.yaml:9:9 env_vars.EMPTY: want text, have nothing (write "" for an empty text)`,
		`f.yaml:10:7 env_vars.false: the key is not text but a number, true, false or null (put the key in quotes)`,
		`f.yaml:12:12 list[0].depth: want a whole number, have text`,
		`f.yaml:13:4 list[1]: the item is empty (remove it or fill it in)`,
		`f.yaml:14:5 list[2]: want a mapping, have text (its fields are depth, width)`,
		`f.yaml:15:1 depth: unknown field (depth belongs to nested)`,
		`f.yaml:16:1 zzz: unknown field (known are accelerator_type, env_vars, list, model_id, nested)`,
	}, problems)
}

func TestProblemsOfTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"name: [x]":                    "f.yaml:1:7 name: want text, have a list",
		"max_model_len: 1.5":           "f.yaml:1:16 max_model_len: want a whole number, have a number",
		"max_model_len: yes":           "f.yaml:1:16 max_model_len: want a whole number, have true or false",
		"max_model_len: .inf":          "f.yaml:1:16 max_model_len: want a whole number, have a number",
		"max_model_len: .nan":          "f.yaml:1:16 max_model_len: want a whole number, have a number",
		"max_model_len: " + huge:       "f.yaml:1:16 max_model_len: the number is too large or too small",
		"small: 256":                   "f.yaml:1:8 small: the number is too large or too small",
		"small: -1":                    "f.yaml:1:8 small: the number is too large or too small",
		"ratio: half":                  "f.yaml:1:8 ratio: want a number, have text",
		"ratio: 2024-01-02":            "f.yaml:1:8 ratio: want a number, have a date",
		"eager: 2":                     "f.yaml:1:8 eager: want true or false, have a whole number",
		"eager: maybe":                 "f.yaml:1:8 eager: want true or false, have text",
		"env_vars: text":               "f.yaml:1:11 env_vars: want a mapping, have text",
		"env_vars: [A=1]":              "f.yaml:1:11 env_vars: want a mapping, have a list",
		"source: 5":                    "f.yaml:1:9 source: want a mapping, have a whole number (its fields are files, uri)",
		"sources: one":                 "f.yaml:1:10 sources: want a list, have text (begin each item with a - on a line of its own)",
		"pairs: [[a]]":                 "f.yaml:1:9 pairs[0]: want a list of 2, have one of 1",
		"count: many":                  "f.yaml:1:8 count: want a count",
		"count: [1]":                   "f.yaml:1:8 count: want text or a whole number, have a list",
		"wait: 90":                     "f.yaml:1:7 wait: want a duration, have a whole number (write a number with a unit, such as 90s or 5m)",
		"- a":                          "f.yaml:1:1: want a mapping, have a list",
		"name: 1\nname: 2":             "f.yaml:2:1 name: the key is given twice, first in line 1 (remove one of them)",
		"any: {a: 1, a: 2}":            "f.yaml:1:13 any.a: the key is given twice, first in line 1 (remove one of them)",
		"any: !!binary aGk=":           "f.yaml:1:6 any: its tag is not supported (put it in quotes)",
		"any: !mine {a: 1}":            "f.yaml:1:6 any: its tag is not supported (remove the tag)",
		"any: !!set {a, b}":            "f.yaml:1:6 any: its tag is not supported (remove the tag)",
		"any: =":                       "f.yaml:1:6 any: it has a special meaning in YAML and is no value (put it in quotes)",
		"any: 0b_":                     "f.yaml:1:6 any: it looks like a number but is none (put it in quotes)",
		"any: {[a]: b}":                "f.yaml:1:7 any: a key must be text",
		"any: {1.5: b}":                "f.yaml:1:7 any: a key must be text, not a number with a fraction (put it in quotes)",
		"any: &a [*a]":                 "f.yaml:1:10 any[0]: an alias stands for something that contains it",
		"any: &a {<<: *a}":             `f.yaml:1:14 any["<<"]: an alias stands for something that contains it`,
		"any: {<<: 1}":                 `f.yaml:1:11 any["<<"]: only mappings can be merged`,
		`env_vars: {"A=secret": 1}`:    `f.yaml:1:24 env_vars["A=…"]: want text, have a whole number (put it in quotes)`,
		"a: 1\n---\nb: 2":              "f.yaml:2:1: a second document begins here (keep one document in a file)",
		"":                             "f.yaml:1:1: the file is empty",
		"# nothing\n":                  "f.yaml:1:1: the file is empty",
		"a:\n\tb: 1":                   "f.yaml:2:1: not YAML: a tab stands where YAML wants spaces (indent with spaces)",
		"a: *secret":                   "f.yaml:1:1: not YAML: an alias (*) names no anchor (&) above it (put text that begins with * in quotes)",
		"x: 1\nb:\n  c: 1\n d: 2\n":    "f.yaml:4:2: not YAML: did not find expected key (check the indentation of this line and the ones before it)",
		strings.Repeat("[", 200):       "f.yaml:1:1: not YAML: did not find expected node content",
		strings.Repeat("- ", 150) + "": "f.yaml:1:1: want a mapping, have a list",
	} {
		_, problems, _ := decode[config](t, text)
		require.NotEmpty(t, problems, text)
		require.True(t, strings.HasPrefix(problems[0]+" ", want+" ") || strings.HasPrefix(problems[len(problems)-1], want), "%q\nwant %s\nhave %q", text, want, problems)
	}
}

const huge = "1234567890123456789012345678901234567890"

// Ray's pydantic takes quoted numbers, and 1e3 is text in YAML 1.1: both load, with a warning.
func TestTextAsNumberIsAWarning(t *testing.T) {
	t.Parallel()
	c, problems, r := decode[config](t, "max_model_len: \"8192\"\nratio: 9e-1\neager: \"true\"\nsmall: '2.0'\n")
	require.Empty(t, problems)
	require.Equal(t, 8192, c.Max)
	require.InDelta(t, .9, *c.Ratio, 0)
	require.True(t, *c.Eager)
	require.EqualValues(t, 2, c.Small)
	require.Len(t, r.Warnings(nil), 4)
	require.Contains(t, r.Warnings(nil)[1], "f.yaml:2:8 ratio: text is read as a number")

	_, problems, _ = decode[config](t, "ratio: nan\nmax_model_len: 0x10 \neager: 1\n")
	require.Equal(t, []string{"f.yaml:1:8 ratio: want a number, have text"}, problems)
}

func TestUnusedFieldsAreWarnings(t *testing.T) {
	t.Parallel()
	c, problems, r := decode[legacy](t, "old: x\nolder: {a: 1}\nolde: 1\n")
	require.Equal(t, []string{"f.yaml:3:1 olde: unknown field (did you mean old?)"}, problems)
	require.Equal(t, "x", c.Old)
	require.Equal(t, map[string]any{"older": map[string]any{"a": 1}}, c.Extra)
	require.Equal(t, []string{"f.yaml:1:1 old: it has no effect", "f.yaml:2:1 older: it has none either"}, r.Warnings(nil))
}

func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	_, err := decodeAny([]byte(b.String()))
	require.ErrorContains(t, err, "the document has more than 100000 values")

	b.Reset()
	b.WriteString("a0: &a0 {x: 1}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i-1, i-1)
	}
	_, err = decodeAny([]byte(b.String()))
	require.ErrorContains(t, err, "the document has more than 100000 values")

	_, err = decodeAny([]byte(strings.Repeat("- ", 150) + "x"))
	require.ErrorContains(t, err, "the document is nested more than 100 deep")
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	_, problems, _ := decode[closed](t, "\ufeffmodel_idd: x\n")
	require.Equal(t, []string{"f.yaml:1:1 model_idd: unknown field (did you mean model_id?)"}, problems)
}

// Columns count characters, not bytes.
func TestColumns(t *testing.T) {
	t.Parallel()
	_, problems, _ := decode[closed](t, `{model_id: "äöü", zzzz: 1}`)
	require.Len(t, problems, 1)
	require.Contains(t, problems[0], "f.yaml:1:19 zzzz")
}

func TestIncludeTakesAFileInThePlaceOfAStruct(t *testing.T) {
	t.Parallel()
	var r strictyaml.Report
	d := strictyaml.Decoder{Report: &r, Include: map[reflect.Type]func(string, *strictyaml.Place) *strictyaml.Value{
		reflect.TypeFor[nested](): func(path string, at *strictyaml.Place) *strictyaml.Value {
			return strictyaml.Include(path, []byte("\ndepth: 4\nwidht: 5\n"), &r, at)
		},
	}}
	var c closed
	d.Decode(strictyaml.Parse("f.yaml", []byte("list:\n- other.yaml\n- depth: x\n"), &r), &c)
	require.Equal(t, 4, c.List[0].Depth)
	err := r.Err("op")
	require.ErrorContains(t, err, "other.yaml:3:1 list[0].widht: invalid: unknown field (did you mean width?)")
	require.ErrorContains(t, err, "f.yaml:3:10 list[1].depth: invalid: want a whole number, have text")
}

// A problem that is found later, by path, gets the position of the value, or of what is
// nearest above it; a field that was misspelt is not reported as missing too.
func TestFailByPath(t *testing.T) {
	t.Parallel()
	_, _, r := decode[closed](t, "model_idd: m\nnested:\n  depth: 7\nenv_vars: {a.b: x}\nlist:\n")
	require.False(t, r.Has("list"))
	require.True(t, r.HasNull("list"))
	require.False(t, r.HasNull("nested"))
	require.True(t, r.Has("nested.depth"))
	require.False(t, r.Has("nested.width"))
	require.True(t, r.Has(`env_vars["a.b"]`))
	r.Fail("model_id", "", "it is missing")
	r.Fail("nested.depth", "at most 5", "it is too deep")
	r.Fail("nested.width", "", "it is missing")
	r.Fail(`env_vars["a.b"]`, "", "bad name")
	r.Warn("nested.depth", "hm")
	err := r.Err("op")
	require.NotContains(t, err.Error(), "model_id: invalid: it is missing", "it was misspelt")
	require.ErrorContains(t, err, "op f.yaml:3:10 nested.depth: invalid: it is too deep (at most 5)")
	require.ErrorContains(t, err, "op f.yaml:3:3 nested.width: invalid: it is missing")
	require.ErrorContains(t, err, `op f.yaml:4:17 env_vars["a.b"]: invalid: bad name`)
	require.Equal(t, []string{"f.yaml:3:10 nested.depth: hm"}, r.Warnings(nil))
	r.Drop(func(path string) bool { return strings.HasPrefix(path, "nested") })
	require.NotContains(t, r.Err("op").Error(), "nested")
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "k%d: 1\n", i)
	}
	_, problems, _ := decode[closed](t, b.String())
	require.Len(t, problems, 201)
	require.Contains(t, problems[200], "there are more problems than the first 200 (mend those first)")
}
