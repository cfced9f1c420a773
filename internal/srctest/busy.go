package srctest

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// pause is longer than what any driver waits by itself.
const pause = 30 * time.Second

// A way is how a server says that it is busy.
type way struct {
	status int
	after  string // in Retry-After; "date" is replaced
	pause  time.Duration
}

// Busy downloads the model for each way to be busy: it has to come whole, and the request that
// was refused not again before the pause that was asked for.
func Busy(t *testing.T, c Case) {
	t.Helper()
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for name, w := range map[string]way{
			"mute": {status, "", 0}, "a second": {status, "1", time.Second}, "long": {status, strconv.Itoa(int(pause.Seconds())), pause},
			"date": {status, "date", pause - time.Second}, // a date has no milliseconds
		} {
			t.Run(strconv.Itoa(status)+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { c.busy(t, w) })
			})
		}
	}
}

func (c Case) busy(t *testing.T, w way) {
	t.Helper()
	srv := &busy{Case: c, way: w}
	dir := t.TempDir()
	man, err := c.fetch(t.Context(), c.Open(t, client(srv)), dir)
	require.NoError(t, err)
	require.NotEmpty(t, srv.refused, "there is no such request")
	require.GreaterOrEqual(t, srv.waited, w.pause, srv.refused)
	requireFiles(t, man, dir)
}

// A busy server refuses once.
type busy struct {
	Case
	way way

	mu      sync.Mutex
	refused string // which request
	at      time.Time
	waited  time.Duration // until it came again
}

// ServeHTTP implements http.Handler.
func (s *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuses(r) {
		s.refuse(w)
		return
	}
	s.Server.ServeHTTP(w, r)
}

func (s *busy) refuses(r *http.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.Method + " " + r.URL.Path + " " + r.Header.Get("Range")
	switch is := s.Is(r); {
	case is && s.refused == "":
		s.refused, s.at = key, time.Now()
		return true
	case is && key == s.refused && s.waited == 0:
		s.waited = time.Since(s.at)
	}
	return false
}

func (s *busy) refuse(w http.ResponseWriter) {
	switch s.way.after {
	case "":
	case "date":
		w.Header().Set("Retry-After", time.Now().Add(pause).UTC().Format(http.TimeFormat))
	default:
		w.Header().Set("Retry-After", s.way.after)
	}
	w.WriteHeader(s.way.status)
}
