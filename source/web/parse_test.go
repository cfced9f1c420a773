package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/web"
	"github.com/stretchr/testify/require"
)

// The pages of the servers that there are, and links that are none.
func TestLinks(t *testing.T) {
	t.Parallel()
	at, err := url.Parse("https://h:8443/a%20b/llama/")
	require.NoError(t, err)
	for want, page := range map[string]string{
		"x.bin,sub/":   `<pre><a href="../">../</a><a href="x.bin">x.bin</a> 12-Jan-2026 <a href="sub/">sub/</a></pre>`,         // nginx
		"x.bin":        `<table><tr><th><a href="?C=N;O=D">Name</a></th><td><a href="/a%20b/">Parent</a> <a href="x.bin">x</a>`, // Apache
		"a&b,y":        `<A HREF='a&amp;b'>1</A><a class=c href=y>2</a><a href="y">again</a>`,
		"a/b":          `<a href="a%2Fb">an escaped slash</a>`,
		"absolute,one": `<a href="https://h:8443/a%20b/llama/absolute">x</a><a href="/a b/llama/one">`,
		"":             `<a href="https://h/a%20b/llama/x">port</a><a href="http://h:8443/a%20b/llama/x">scheme</a><a href="a/b">deep</a><a href="x#y"><a href=":"><a href="">`,
	} {
		require.Equal(t, want, strings.Join(web.Links(page, at), ","))
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`<a href="x/">x</a>`, "/a%2fb/")
	f.Add("<a\nhref='%zz'><a href=..><a href=./%2e%2e/>", "/")
	f.Fuzz(func(t *testing.T, page, path string) {
		at, err := url.Parse("https://h/" + path)
		if err != nil {
			return
		}
		for _, name := range web.Links(page, at) {
			require.NotEmpty(t, strings.Trim(name, "/"))
		}
	})
}

func FuzzSums(f *testing.F) {
	f.Add(strings.Repeat("a", 64) + "  name\n")
	f.Add(`\` + strings.Repeat("F", 64) + ` *a\\b\nc`)
	f.Add("SHA256 (x) = " + strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, text string) {
		sums, err := web.ParseSums(text)
		if err != nil {
			require.Nil(t, sums)
			return
		}
		for _, d := range sums {
			require.Equal(t, "sha256", d.Algorithm)
			require.Regexp(t, `^[0-9a-f]{64}$`, d.Hex)
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-1/2")
	f.Add("bytes */+7")
	f.Fuzz(func(t *testing.T, value string) {
		for _, n := range func(a, b, c int64) []int64 { return []int64{a, b, c} }(web.ContentRange(value)) {
			require.GreaterOrEqual(t, n, int64(-1))
		}
	})
}

// Only the range that was asked for, or the whole file, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	srctest.Answers(f, true, func(a srctest.Answer, file source.File, off, n int64) error {
		return web.CheckAnswer(a.Status, a.Length, a.Range, a.Coding, file, off, n)
	})
}

func FuzzPause(f *testing.F) { srctest.Pauses(f, web.Pause) }

// Whatever stands in a URI, opening it neither panics nor shows what may be a secret.
func FuzzURI(f *testing.F) {
	f.Add("h/llama/")
	f.Add("h:1/%2f?x#y")
	f.Add("[::1]/a/SHA256SUMS")
	f.Fuzz(func(t *testing.T, rest string) {
		if strings.Contains(rest, "canary") {
			return
		}
		for _, uri := range []string{"https://" + rest, "https://me:canary@" + rest, "https://" + rest + "?canary"} {
			src, err := tryOpen(t, uri, lifecycle.EnvVars{})
			if err != nil {
				require.ErrorIs(t, err, lifecycle.Invalid)
				require.NotContains(t, err.Error(), "canary")
				continue
			}
			require.NotContains(t, dump(src), "canary")
			_, err = src.Open(t.Context(), source.File{Path: "../x"}, 0, -1)
			require.ErrorIs(t, err, lifecycle.Invalid)
		}
	})
}
