package jinja_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/jinja"
	"github.com/stretchr/testify/require"
)

func render(source string, vars map[string]any) (string, error) {
	t, err := jinja.Parse(source)
	if err != nil {
		return "", err
	}
	return t.Render(vars)
}

// TestEnds: a template that runs on, or builds without limit, is an error in finite time.
func TestEnds(t *testing.T) {
	t.Parallel()
	double := `{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = `
	cases := map[string]struct{ source, want string }{
		"loops in loops":   {strings.Repeat("{% for i in range(99999) %}", 3) + "x" + strings.Repeat("{% endfor %}", 3), "does not come to an end"},
		"large values":     {"{% for i in range(99999) %}{% set x = range(99999) %}{% endfor %}", "does not come to an end"},
		"output":           {"{% set s = 'x' * 100000 %}{% for i in range(99999) %}{{ s }}{% endfor %}", "too large"},
		"repeated string":  {"{{ 'x' * 999999999 }}", "too large"},
		"repeated list":    {"{{ [1] * 999999999 }}", "too large"},
		"joined":           {double + "ns.s + ns.s %}{% endfor %}", "too large"},
		"concatenated":     {double + "ns.s ~ ns.s %}{% endfor %}", "too large"},
		"replaced":         {double + "ns.s|replace('x', 'xxxx') %}{% endfor %}", "too large"},
		"added lists":      {"{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "does not come to an end"},
		"filter join":      {"{{ (['x' * 1000000] * 100) | join }}", "too large"},
		"endless macro":    {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion depth"},
		"endless loop":     {"{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "recursion depth"},
		"range":            {"{{ range(100001) }}", "range too big"},
		"nested brackets":  {"{{ " + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + " }}", "nested too deeply"},
		"nested lists":     {"{{ " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + " }}", "nested too deeply"},
		"nested tags":      {strings.Repeat("{% if 1 %}", 100_000), "nested too deeply"},
		"nested negations": {"{{ " + strings.Repeat("not ", 100_000) + "1 }}", "nested too deeply"},
		"nested signs":     {"{{ " + strings.Repeat("- ", 100_000) + "1 }}", "nested too deeply"},
		"nested targets":   {"{% set " + strings.Repeat("(", 100_000) + strings.Repeat(")", 100_000) + " %}", "nested too deeply"},
		"power":            {"{{ 9 ** 999 }}", "too large"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(c.source, nil)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"a\nb{{ x.y }}":             "line 2: 'x' is undefined",
		"{{ {}.a.b }}":              "line 1: 'dict object' has no attribute 'a'",
		"\n{% for x in 3 %}":        "line 2: expected endfor or else before the end of the template",
		"\n\n{% nosuch %}":          `line 3: the tag "nosuch" is not supported`,
		"{% include 'a' %}":         `line 1: the tag "include" is not supported`,
		"{{ 1|nosuch }}":            `line 1: there is no filter "nosuch"`,
		"{{ 1 is nosuch }}":         `line 1: there is no test "nosuch"`,
		"{{ 'a' + 1 }}":             `line 1: unsupported operand types for +: "str" and "int"`,
		"{{ x() }}":                 "line 1: 'x' is undefined",
		"{{ 1":                      "line 1: a tag has no end",
		"{{ 'a":                     "line 1: a string has no end",
		"\n{# a":                    "line 2: a comment has no end",
		"{{ 'abc'.strip(1) }}":      "argument 'chars' must be str, not int",
		"{{ l|sort }}":              `"int" and "str" cannot be ordered`,
		"{% if x is defined %}{{ x": "line 1: a tag has no end",
	}
	l, err := jinja.FromJSON([]byte(`["a", 1]`))
	require.NoError(t, err)
	for source, want := range cases {
		_, err := render(source, map[string]any{"l": l})
		require.ErrorContains(t, err, want, source)
	}
}

func TestRaise(t *testing.T) {
	t.Parallel()
	_, err := render("{% if true %}{{ raise_exception('Roles must alternate: ' ~ 1) }}{% endif %}", nil)
	raised, ok := errors.AsType[*jinja.Raised](err)
	require.True(t, ok)
	require.Equal(t, "Roles must alternate: 1", raised.Message)
}

func TestFromJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[1,]", "1 2", `{"a":1}}`, "99999999999999999999"} {
		_, err := jinja.FromJSON([]byte(text))
		require.Error(t, err, text)
	}
	v, err := jinja.FromJSON([]byte(`{"z": 1, "a": [1.0, null, true, "x"], "z": 2}`))
	require.NoError(t, err)
	got, err := render("{{ v|tojson }}", map[string]any{"v": v})
	require.NoError(t, err)
	require.Equal(t, `{"z": 2, "a": [1.0, null, true, "x"]}`, got) //nolint:testifylint // order and form count
}

// TestConcurrent: a template is shared by requests.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	template, err := jinja.Parse("{% set ns = namespace(n=0) %}{% for i in range(9) %}{% set ns.n = ns.n + k %}{% endfor %}{{ ns.n }}")
	require.NoError(t, err)
	for k := range 8 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			got, err := template.Render(map[string]any{"k": k})
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(9*k), got)
		})
	}
}

// FuzzRender: whatever the template, it renders or fails; nothing panics or hangs.
func FuzzRender(f *testing.F) {
	g, vars := readGolden(f)
	for _, c := range g.Cases {
		f.Add(*c[0])
	}
	f.Fuzz(func(t *testing.T, source string) {
		if template, err := jinja.Parse(source); err == nil {
			_, err = template.Render(vars(t))
			_ = err
		}
	})
}

func ExampleTemplate_Render() {
	t, err := jinja.Parse("{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}\n{% endfor %}")
	if err != nil {
		fmt.Println(err)
		return
	}
	messages, err := jinja.FromJSON([]byte(`[{"role": "user", "content": " Hi "}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := t.Render(map[string]any{"messages": messages})
	fmt.Println(text, err)
	// Output:
	// <user>Hi
	//  <nil>
}
