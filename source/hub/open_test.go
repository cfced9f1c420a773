package hub_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const weights = "model.safetensors"

// Many ranges at once need one link.
func TestOneLinkForAllRanges(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	data := text(1 << 20)
	h.Put(id, weights, []byte(data))
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	var g errgroup.Group
	for off := int64(0); off < f.Size; off += 1 << 16 {
		g.Go(func() error {
			got, err := read(t, src, f, off, 1<<16)
			require.Equal(t, data[off:off+1<<16], got)
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.Equal(t, 1, count(h, false, "/resolve/"))
	require.Equal(t, 16, count(h, true, ""))
}

// An expired link is asked for again, once.
func TestExpiredLink(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 400, 401, 404, 410} {
		h := stocked(t)
		h.Break(hubtest.Fault{CDN: true, Skip: 1, Times: 1, Do: hubtest.Status(status, "")})
		src := open(t, "hf://acme/tiny", h.Env())
		f := listed(t, src, weights)
		require.Equal(t, text(1000), mustRead(t, src, f, 0, -1))
		require.Equal(t, text(1000)[5:10], mustRead(t, src, f, 5, 5), "status %d", status)
		require.Equal(t, 2, count(h, false, "/resolve/"))
	}
}

// Links that expire are renewed for ever; those that never work are an error.
func TestShortLinks(t *testing.T) {
	t.Parallel()
	h := stocked(t)
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	for range 4 {
		require.Equal(t, text(1000), mustRead(t, src, f, 0, -1))
		h.Expire()
	}
	require.Equal(t, 4, count(h, false, "/resolve/"))

	h = stocked(t)
	h.LinkLife = -time.Second
	src = open(t, "hf://acme/tiny", h.Env())
	for range 3 {
		_, err := src.Open(t.Context(), f, 0, -1)
		require.ErrorIs(t, err, lifecycle.Unavailable)
		require.NotContains(t, dump(err), "Signature")
	}
}

// What is wrong with an answer is found before its bytes are believed, or survived.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   hubtest.Action
		want string // of the error; "" means that the bytes are right all the same
	}{
		"ignored range": {hubtest.NoRange, ""},
		"gzip":          {hubtest.Gzip, "compressed"},
		"gzip all": {func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			r.Header.Del("Range")
			hubtest.Gzip(w, r, next)
		}, ""},
		"gzip short": {func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			r.Header.Del("Range")
			hubtest.Gzip(w, r, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text(400))) }))
		}, "unexpected EOF"},
		"other range": {hubtest.OtherRange, "asked for 500 bytes at 100"},
		"short": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte("short"))
		}, "the answer has 5 bytes, the file 1000"},
		"no content": {func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusNoContent)
		}, "status 204"},
		"cut":        {hubtest.Cut(99), "unexpected EOF"},
		"reset":      {hubtest.Reset(99), "connection reset by peer"},
		"not gzip":   {withHeader("Content-Encoding", "gzip", http.StatusOK), "gzip: invalid header"},
		"other code": {withHeader("Content-Encoding", "br", http.StatusOK), "compressed"},
	} {
		for _, path := range []string{weights, "large.txt"} {
			t.Run(name+" "+path, func(t *testing.T) {
				t.Parallel()
				h := stocked(t)
				h.Put(id, "large.txt", []byte(text(1000)))
				h.Break(hubtest.Fault{CDN: path == weights, Path: map[bool]string{false: "/resolve-cache/"}[path == weights], Do: c.do})
				src := open(t, "hf://acme/tiny", h.Env())
				got, err := read(t, src, listed(t, src, path), 100, 500)
				if c.want != "" {
					require.ErrorIs(t, err, lifecycle.Unavailable)
					require.ErrorContains(t, err, c.want)
					return
				}
				require.NoError(t, err)
				require.Equal(t, text(1000)[100:600], got)
			})
		}
	}
}

func withHeader(key, value string, status int) hubtest.Action {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set(key, value)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text(1000)))
	}
}

// Of a server that ignores ranges, as some caches do, any range is had, and a whole file costs
// little more than its bytes.
func TestIgnoredRanges(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	data := randomText(80 << 20)
	h.Put(id, weights, data)
	var sent atomic.Int64
	h.Break(hubtest.Fault{CDN: true, Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		r.Header.Del("Range")
		hubtest.Watch(func(n int) { sent.Add(int64(n)) })(w, r, next)
	}})
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	require.Equal(t, string(data[f.Size-10:]), mustRead(t, src, f, f.Size-10, -1))
	sent.Store(0)
	dir := t.TempDir()
	_, err := (&download.Manager{PartSize: 1 << 20}).Fetch(t.Context(), open(t, "hf://acme/tiny", h.Env()), dir)
	require.NoError(t, err)
	requireFile(t, dir, weights, string(data))
	t.Logf("%d bytes were sent of %d", sent.Load(), f.Size)
	require.Less(t, sent.Load(), f.Size*3/2)
}

// What was listed is read as it was, also when the branch has gone on.
func TestOldCommit(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Put(id, weights, []byte("old"))
	h.Put(id, "config.json", []byte("{}"))
	src := open(t, "hf://acme/tiny", h.Env())
	was := listed(t, src, weights)
	h.Put(id, weights, []byte("newer"))
	is := listed(t, src, weights)
	require.Equal(t, "old", mustRead(t, src, was, 0, -1))
	require.Equal(t, "newer", mustRead(t, src, is, 0, -1))
	h.Squash(id)
	require.Equal(t, "{}", mustRead(t, src, listed(t, src, "config.json"), 0, -1))
}

// A Source that has not resolved reads the revision of its URI.
func TestOpenWithoutResolve(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Put(id, weights, []byte("old"))
	h.Branch(id, "v1")
	f := listed(t, open(t, "hf://acme/tiny", h.Env()), weights)
	h.Put(id, weights, []byte("new"))
	require.Equal(t, "old", mustRead(t, open(t, "hf://acme/tiny@v1", h.Env()), f, 0, -1))
	_, err := read(t, open(t, "hf://acme/tiny", h.Env()), f, 0, -1)
	require.ErrorIs(t, err, lifecycle.Corrupt)
}

// A whole model through the downloader, with faults on every kind of request.
func TestDownload(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	data := text(3 << 20)
	h.Put(id, "config.json", []byte(text(5000)))
	h.Put(id, weights, []byte(data))
	for _, f := range []hubtest.Fault{
		{Path: "/revision/", Times: 1, Do: hubtest.Status(503, "")},
		{Path: "/revision/", Times: 1, Do: hubtest.Stall(10)},
		{Path: "/tree/", Times: 1, Do: hubtest.Cut(10)},
		{Path: "/tree/", Times: 1, Do: hubtest.Stall(10)},
		{Path: "/resolve/", Times: 1, Do: hubtest.Status(500, "")},
		{CDN: true, Times: 1, Do: hubtest.Flip(7)},
		{CDN: true, Times: 1, Do: hubtest.Cut(100_000)},
		{CDN: true, Times: 1, Do: hubtest.Status(403, "")},
		{CDN: true, Times: 1, Do: hubtest.NoRange},
		{CDN: true, Times: 1, Do: hubtest.OtherRange},
		{CDN: true, Times: 1, Do: hubtest.Stall(1000)},
		{CDN: true, Times: 1, Do: hubtest.Gzip},
	} {
		h.Break(f)
	}
	m := download.Manager{PartSize: 1 << 20, StallTimeout: 2 * time.Second}
	dir := t.TempDir()
	man, err := m.Fetch(t.Context(), open(t, "hf://acme/tiny", h.Env()), dir)
	require.NoError(t, err)
	require.Equal(t, []string{"config.json", weights}, pathsOf(man))
	requireFile(t, dir, "config.json", text(5000))
	requireFile(t, dir, weights, data)
}
