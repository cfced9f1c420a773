// Package busytest has a driver download a model from a server that is too busy for one request.
//
//	busytest.Run(t, busytest.Case{
//		Server: fake,
//		Busy:   func(r *http.Request) bool { return r.Method == http.MethodHead },
//		Open:   func(tb testing.TB, c *http.Client) source.Source { return openWith(tb, uri, env, c) },
//	})
package busytest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// A Case is a model, and a kind of request that it takes.
type Case struct {
	// Server answers, without a network: time stands still while it does.
	Server http.Handler
	// Busy reports whether a request is of the kind whose first one is refused.
	Busy func(r *http.Request) bool
	// Open opens the model with nothing but the client.
	Open func(tb testing.TB, client *http.Client) source.Source
	// Fetch downloads it into a folder, with nothing that another call has; nil means [Fetch], for
	// modules without package download.
	Fetch func(ctx context.Context, src source.Source, dir string) (*source.Manifest, error)
}

// pause is longer than what any driver waits by itself.
const pause = 30 * time.Second

// A way is how a server says that it is busy.
type way struct {
	status int
	after  string // in Retry-After; "date" is replaced
	pause  time.Duration
}

// Run downloads the model for each way to be busy: it has to come whole, and the request that
// was refused not again before the pause that was asked for.
func Run(t *testing.T, c Case) {
	t.Helper()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for name, w := range map[string]way{
			"mute": {status, "", 0}, "a second": {status, "1", time.Second}, "long": {status, strconv.Itoa(int(pause.Seconds())), pause},
			"date": {status, "date", pause - time.Second}, // a date has no milliseconds
		} {
			t.Run(strconv.Itoa(status)+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.run(t, w) })
			})
		}
	}
}

func (c Case) run(t *testing.T, w way) {
	t.Helper()
	if c.Fetch == nil {
		c.Fetch = Fetch
	}
	srv := &server{Case: c, way: w}
	dir := t.TempDir()
	man, err := c.Fetch(t.Context(), c.Open(t, &http.Client{Transport: srv}), dir)
	require.NoError(t, err)
	require.NotEmpty(t, srv.refused, "there is no such request")
	require.GreaterOrEqual(t, srv.waited, w.pause, srv.refused)
	require.NotEmpty(t, man.Files)
	for _, f := range man.Files {
		data, err := os.ReadFile(filepath.Join(dir, f.Path)) //nolint:gosec // a file of the test
		require.NoError(t, err)
		require.Len(t, data, int(f.Size))
		if f.Digest.Known() {
			h := f.Digest.NewHash(f.Size)
			_, _ = h.Write(data)
			require.True(t, f.Digest.Equal(h.Sum(nil)), f.Path)
		}
	}
}

// A server refuses once.
type server struct {
	Case
	way way

	mu      sync.Mutex
	refused string // which request
	at      time.Time
	waited  time.Duration // until it came again
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if s.refuses(r) {
		s.refuse(rec)
	} else {
		s.Server.ServeHTTP(rec, r)
	}
	res := rec.Result()
	res.Request = r
	if r.Method == http.MethodHead {
		res.Body = http.NoBody
	}
	return res, nil
}

func (s *server) refuses(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Method + " " + r.URL.Path + " " + r.Header.Get("Range")
	switch busy := s.Busy(r); {
	case busy && s.refused == "":
		s.refused, s.at = key, time.Now()
		return true
	case busy && key == s.refused && s.waited == 0:
		s.waited = time.Since(s.at)
	}
	return false
}

func (s *server) refuse(w http.ResponseWriter) {
	switch s.way.after {
	case "":
	case "date":
		w.Header().Set("Retry-After", time.Now().Add(pause).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", s.way.after)
	}
	w.WriteHeader(s.way.status)
}
