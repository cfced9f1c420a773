package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// answering returns a fake with one file, whose GETs are answered otherwise.
func answering(t *testing.T, answer http.HandlerFunc) *fake {
	t.Helper()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("0123456789"))
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		is := r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "a.bin")
		if is {
			answer(w, r)
		}
		return is
	}
	return f
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for status, c := range map[int]struct {
		kind lifecycle.Kind
		hint string
	}{
		401: {lifecycle.Unauthenticated, "tried in this order"},
		403: {lifecycle.AccessDenied, "allow GET on http"},
		404: {lifecycle.MissingFile, "put it there again"},
		410: {lifecycle.MissingFile, "put it there again"},
		412: {lifecycle.Corrupt, "it changed since it was listed"},
		416: {lifecycle.Corrupt, "it changed since it was listed"},
		429: {lifecycle.Throttled, "slow down"},
		503: {lifecycle.Throttled, "slow down"},
		500: {lifecycle.Unavailable, "check the network"},
		304: {lifecycle.Unavailable, "check the network"},
		418: {lifecycle.Invalid, "write https://"},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			f := answering(t, func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(status)
			})
			src := open(t, f.url+"/llama/", nil)
			file := resolve(t, src).Files[0]
			_, err := src.Open(t.Context(), file, 2, 3)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Read "+f.url+"/llama/a.bin: ")
			require.ErrorContains(t, err, c.hint)
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
			require.EqualValues(t, 1, n.Load(), "a read is not retried here")
		})
	}
}

// Small requests are tried again, so that one bad answer of many is no failure.
func TestSmallRetries(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	f := newFake(t)
	f.put(t, "llama/a", nil)
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		bad := n.Add(1) <= 2
		if bad {
			w.WriteHeader(http.StatusBadGateway)
		}
		return bad
	}
	require.Len(t, resolve(t, open(t, f.url+"/llama/", nil)).Files, 1)
}

// A server that says when to come back is not asked before, and whoever asked is told.
func TestSmallRequestsObeyRetryAfter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		var n atomic.Int32
		f := newFake(t)
		f.before = func(w http.ResponseWriter, _ *http.Request) bool {
			n.Add(1)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			return true
		}
		_, err := open(t, f.url+"/llama/", nil).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.Throttled)
		require.Equal(t, 7*time.Second, source.RetryAfter(err))
		require.EqualValues(t, 1, n.Load())
	}
}

// Bytes that are not the ones asked for never pass as those; a range that is ignored is cut
// out of all of it.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	const data = "0123456789"
	partial := func(w http.ResponseWriter, contentRange, data string) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, data)
		_ = http.NewResponseController(w).Flush()
	}
	for name, c := range map[string]struct {
		kind   lifecycle.Kind // Unknown means that it works
		answer http.HandlerFunc
	}{
		"the range is ignored": {lifecycle.Unknown, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, data) }},
		"ignored, no length": {lifecycle.Unknown, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, data)
		}},
		"ignored, and longer": {lifecycle.Corrupt, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, data+"x") }},
		"another range":       {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 3-5/10", "345") }},
		"another size":        {lifecycle.Corrupt, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 2-4/11", "234") }},
		"size not told":       {lifecycle.Unknown, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 2-4/*", "234") }},
		"another file": {lifecycle.Corrupt, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"other"`)
			partial(w, "bytes 2-4/10", "234")
		}},
		"compressed": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			partial(w, "bytes 2-4/10", "234")
		}},
		"cut": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "3")
			partial(w, "bytes 2-4/10", "23")
			panic(http.ErrAbortHandler)
		}},
		"cut before it": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "0")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
		"cut without a length": {lifecycle.Unavailable, func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 2-4/10", "23") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := answering(t, c.answer)
			src := open(t, f.url+"/llama/", nil)
			body, err := src.Open(t.Context(), resolve(t, src).Files[0], 2, 3)
			var got []byte
			if err == nil {
				got, err = io.ReadAll(body)
				require.NoError(t, body.Close())
			}
			if c.kind == lifecycle.Unknown {
				require.NoError(t, err)
				require.Equal(t, "234", string(got))
				return
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "/llama/a.bin")
		})
	}
}

// A signature of S3 or of Google Cloud Storage is for one method: HEAD of a link for GET is refused.
func TestHeadOfASignedLink(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("0123456789"))
	f.put(t, "llama/empty", nil)
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusForbidden)
		case strings.HasSuffix(r.URL.Path, "empty"): // as nginx does
			w.Header().Set("Content-Range", "bytes */0")
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		default:
			return false
		}
		return true
	}
	for name, want := range map[string]string{"a.bin": "0123456789", "empty": ""} {
		src := open(t, f.url+"/llama/"+name+"?X-Amz-Signature=canary", nil)
		m := resolve(t, src)
		require.Equal(t, int64(len(want)), m.Files[0].Size)
		require.Equal(t, want, readAll(t, src, m.Files[0]))
	}
	_, err := open(t, f.url+"/llama/a.bin", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.AccessDenied, "without a signature it is what it says")
}

// Where HEAD is not allowed, a byte tells as much. A size that nobody tells is said to be missing.
func TestHead(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.put(t, "llama/a.bin", []byte("0123456789"))
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
		return r.Method == http.MethodHead
	}
	require.Equal(t, []string{"a.bin 10 "}, summary(resolve(t, open(t, f.url+"/llama/", nil))))
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodHead {
			w.Header().Set("Transfer-Encoding", "chunked")
			w.WriteHeader(http.StatusOK)
		}
		return r.Method == http.MethodHead
	}
	_, err := open(t, f.url+"/llama/a.bin", nil).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.ErrorContains(t, err, "Content-Length")
}
