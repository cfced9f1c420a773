package web_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func summary(m *source.Manifest) (lines []string) {
	for _, f := range m.Files {
		lines = append(lines, fmt.Sprintf("%s %d %.13s", f.Path, f.Size, f.Digest))
	}
	return lines
}

// A file is a repository of one, also through a link that is signed.
func TestSingleFile(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "cache/compile.tar", []byte("data"))
	for _, query := range []string{"", "?signature=canary"} {
		src := open(t, f.url+"/cache/compile.tar"+query, nil)
		m := resolve(t, src)
		require.Equal(t, []string{"compile.tar 4 "}, summary(m))
		require.Equal(t, f.url+"/cache/compile.tar", m.URI)
		require.Equal(t, "data", readAll(t, src, m.Files[0]))
		last := f.seen()[len(f.seen())-1]
		require.Equal(t, strings.TrimPrefix(query, "?"), last.URL.RawQuery, "the signature is sent")
		require.Equal(t, m.Files[0].Version, last.Header.Get("If-Match"))
		require.NotContains(t, dump(m)+dump(src), "canary")
		require.Equal(t, "data", readAll(t, open(t, f.url+"/cache/compile.tar"+query, nil), m.Files[0]), "also before Resolve")
	}
	_, err := open(t, f.url+"/cache/compile.tar/", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "a slash means a folder")
	_, err = open(t, f.url+"/cache/compil.tar?signature=canary", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, `did you mean "compile.tar"?`)
	require.NotContains(t, dump(err), "canary")
}

// A list of digests adds to the index; named by the URI, it is all there is.
func TestSums(t *testing.T) {
	t.Parallel()
	d := goServer(t)
	d.put(t, "llama/config.json", []byte("{}"))
	d.put(t, "llama/sub/weights", []byte("data"))
	list := fmt.Sprintf("# made by hand\r\n%X *./sub/weights\n", sha256.Sum256([]byte("data")))
	d.put(t, "llama/SHA256SUMS", []byte(list))
	m := resolve(t, open(t, d.url+"/llama", nil))
	require.Equal(t, []string{fmt.Sprintf("SHA256SUMS %d ", len(list)), "config.json 2 ", "sub/weights 4 sha256:3a6eb0"}, summary(m))
	m = resolve(t, open(t, d.url+"/llama/SHA256SUMS", nil))
	require.Equal(t, []string{"sub/weights 4 sha256:3a6eb0"}, summary(m))
	require.Equal(t, d.url+"/llama/SHA256SUMS", m.URI)

	d.put(t, "llama/SHA256SUMS", []byte(fmt.Sprintf("%064x  gone\n", 1)))
	_, err := open(t, d.url+"/llama/SHA256SUMS", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.MissingFile)
	require.ErrorContains(t, err, "/llama/gone")
	d.put(t, "llama/SHA256SUMS", []byte(fmt.Sprintf("%064x  ../gone\n", 1)))
	_, err = open(t, d.url+"/llama/SHA256SUMS", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, `"../gone"`)
	d.put(t, "llama/SHA256SUMS", []byte("\nhello\n"))
	_, err = open(t, d.url+"/llama/", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "line 2 of SHA256SUMS")
}

// A server that lists nothing serves a folder by its list, and says how otherwise.
func TestNoIndex(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusForbidden, http.StatusNotFound} {
		f := newFake(t)
		f.put(t, "llama/weights", []byte("data"))
		f.before = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/") {
				w.WriteHeader(status)
			}
			return strings.HasSuffix(r.URL.Path, "/")
		}
		_, err := open(t, f.url+"/llama/", nil).Resolve(t.Context())
		if status == http.StatusForbidden {
			require.ErrorIs(t, err, lifecycle.AccessDenied)
			require.ErrorContains(t, err, "autoindex on")
		} else {
			require.ErrorIs(t, err, lifecycle.NotFound)
		}
		f.put(t, "llama/SHA256SUMS", []byte(fmt.Sprintf("SHA256 (weights) = %x\n", sha256.Sum256([]byte("data")))))
		require.Equal(t, []string{"weights 4 sha256:3a6eb0"}, summary(resolve(t, open(t, f.url+"/llama/", nil))))
	}
}

// A page that is no index, and one that leads in circles, end.
func TestOddPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		page, kind string
		want       lifecycle.Kind
	}{
		"a page of links elsewhere": {`<a href="/other">x</a><a href="//evil/llama/x">y</a><a href="x?y">z</a><a href="javascript:x">`, "text/html", lifecycle.NotFound},
		"no page":                   {"data", "application/octet-stream", lifecycle.Invalid},
		"folders without an end":    {`<a href="again/">again</a>`, "text/html", lifecycle.Invalid},
		"more folders than ever":    {`<a href="a/">a</a><a href="b/">b</a>`, "text/html", lifecycle.Invalid},
		"a folder that escapes":     {`<a href="..%2f..%2fevil/">a</a>`, "text/html", lifecycle.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.before = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "SHA256SUMS") {
					return false
				}
				w.Header().Set("Content-Type", c.kind)
				fmt.Fprint(w, c.page)
				return true
			}
			_, err := open(t, f.url+"/llama/", nil).Resolve(t.Context())
			require.ErrorIs(t, err, c.want)
		})
	}
}

// The index of nginx, with folders in folders.
func TestNginxIndex(t *testing.T) {
	t.Parallel()
	d := nginxServer(t)
	d.put(t, "llama/config.json", []byte("{}"))
	d.put(t, "llama/a b/ü%/weights", []byte("data"))
	d.put(t, "llama-13b/config.json", nil)
	src := open(t, d.url+"/llama", nil)
	m := resolve(t, src)
	require.Equal(t, []string{"a b/ü%/weights 4 ", "config.json 2 "}, summary(m))
	require.Equal(t, "data", readAll(t, src, m.Files[0]))
	_, err := open(t, d.url+"/lama", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, `did you mean "llama"?`)
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"http://":                              "names no server",
		"http:///llama":                        "names no server",
		"https://h/llama#x":                    "fragment",
		"https://h/llama/?canary=1":            "a folder has no query",
		"https://user:canary@h/a//b":           "no plain one",
		"https://user:canary@h//b":             "no plain one",
		"https://user:canary@h/a/../b?canary=": "no plain one",
		"https://h/llama//":                    "no plain one",
	} {
		_, err := tryOpen(t, uri, nil)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want, uri)
		require.ErrorContains(t, err, "SHA256SUMS", "the right form is told")
		require.NotContains(t, err.Error(), "canary")
	}
}
