package strictyaml_test

import (
	"math/big"
	"testing"

	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What a program gives is decoded like what a file says.
func TestFromGo(t *testing.T) {
	t.Parallel()
	type kwargs struct {
		Paths  [][2]string    `yaml:"paths"`
		Ratio  float32        `yaml:"ratio"`
		Count  uint           `yaml:"count"`
		Large  *big.Int       `yaml:"-"`
		Any    any            `yaml:"any"`
		Labels map[string]any `yaml:"labels"`
	}
	text := "x"
	var r strictyaml.Report
	var k kwargs
	(&strictyaml.Decoder{Report: &r}).Decode(strictyaml.FromGo(map[string]any{
		"paths": [][]string{{"a", "b"}}, "ratio": int8(2), "count": uint64(7), "any": []any{nil, &text, big.NewInt(5), true},
		"labels": map[string]string{"a": "b"},
	}, "kwargs", &r), &k)
	require.NoError(t, r.Err("op"))
	require.Equal(t, kwargs{
		Paths: [][2]string{{"a", "b"}}, Ratio: 2, Count: 7, Any: []any{nil, "x", 5, true}, Labels: map[string]any{"a": "b"},
	}, k)
}

func TestFromGoProblems(t *testing.T) {
	t.Parallel()
	endless := map[string]any{}
	endless["a"], endless["b"] = endless, []any{endless}
	for want, v := range map[string]any{
		"op kwargs.name: invalid: want text, have a whole number (put it in quotes)":                                 map[string]any{"name": 5},
		"op kwargs.f: invalid: a Go value of type func() is not allowed (use maps, lists and scalars)":               map[string]any{"f": func() {}},
		"op kwargs.m: invalid: a Go value of type map[int]int is not allowed (use a map[string]any)":                 map[string]any{"m": map[int]int{}},
		"op kwargs.s[0]: invalid: a Go value of type struct {} is not allowed (use maps, lists and scalars)":         map[string]any{"s": []struct{}{{}}},
		"the value is too large or contains itself":                                                                  endless,
		"op kwargs: invalid: want a mapping, have a list (its fields are any, count, eager, env_vars, max_model_len": []string{"x"},
	} {
		var r strictyaml.Report
		var c config
		(&strictyaml.Decoder{Report: &r}).Decode(strictyaml.FromGo(v, "kwargs", &r), &c)
		require.ErrorContains(t, r.Err("op"), want)
	}
}

// A nil Value, and a pointer to nil, decode nothing.
func TestNothingDecodesNothing(t *testing.T) {
	t.Parallel()
	var r strictyaml.Report
	c := config{Name: "before"}
	d := strictyaml.Decoder{Report: &r}
	d.Decode(nil, &c)
	d.Decode(strictyaml.FromGo((*int)(nil), "x", &r), &c)
	require.NoError(t, r.Err("op"))
	require.Equal(t, "before", c.Name)
	require.Nil(t, (*strictyaml.Value)(nil).Place())
	require.Empty(t, (*strictyaml.Place)(nil).Target())
	for range (*strictyaml.Value)(nil).Keys {
		t.Fatal("a nil Value has no keys")
	}
}

// Types that no YAML can fill are reported, not panicked about.
func TestImpossibleTypes(t *testing.T) {
	t.Parallel()
	var into struct {
		C chan int       `yaml:"c"`
		E error          `yaml:"e"`
		M map[int]string `yaml:"m"`
	}
	var r strictyaml.Report
	(&strictyaml.Decoder{Report: &r}).Decode(strictyaml.Parse("f.yaml", []byte("c: 1\ne: x\nm: {a: b}\n"), &r), &into)
	n := 0
	for e := range lifecycle.Errors(r.Err("op")) {
		require.ErrorContains(t, e, "the field has a Go type that YAML cannot fill")
		n++
	}
	require.Equal(t, 3, n)
}

// Whatever the keys are, a place is found again by its path.
func TestPathsLeadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z.\[\]" ]{0,8}`), 1, 5, rapid.ID).Draw(t, "keys")
		inner := map[string]any{}
		for _, k := range keys {
			inner[k] = []any{1, map[string]any{k: 2}}
		}
		var r strictyaml.Report
		v := strictyaml.FromGo(inner, "", &r)
		for _, k := range keys {
			path := strictyaml.Key(k) + "[1]" + strictyaml.Key(k)
			at, exact := v.Place().At(path)
			if !exact || at.Path() != trimDot(path) {
				t.Fatalf("%q leads to %q (%v)", path, at.Path(), exact)
			}
		}
	})
}

func trimDot(path string) string {
	if path[0] == '.' {
		return path[1:]
	}
	return path
}
