package idle_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/idle"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served is an echo of paths behind a Listener, and a connection to it.
type served struct {
	net.Conn
	answers *bufio.Reader
	server  *http.Server
	states  chan http.ConnState // of the connection, as the server sees it
}

func serve(t *testing.T, timeout time.Duration) *served {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	parking := idle.Listen(l, timeout)
	s := &served{states: make(chan http.ConnState, 100)}
	s.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.URL.Path) }),
		ReadHeaderTimeout: time.Minute, IdleTimeout: timeout,
		ConnState: func(c net.Conn, state http.ConnState) {
			parking.State(c, state)
			s.states <- state
		},
	}
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(parking) }()
	s.Conn, err = new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, s.SetDeadline(time.Now().Add(time.Minute)))
	s.answers = bufio.NewReader(s)
	t.Cleanup(func() {
		_ = s.Close()
		require.NoError(t, s.server.Shutdown(context.WithoutCancel(t.Context())))
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
	return s
}

func (s *served) send(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(s, text)
	require.NoError(t, err)
}

// answer reads one that echoes path.
func (s *served) answer(t *testing.T, path string) {
	t.Helper()
	resp, err := http.ReadResponse(s.answers, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, path, string(body))
}

// parked waits until the server has let the connection go.
func (s *served) parked(t *testing.T) {
	t.Helper()
	for state := range s.states {
		if state == http.StateClosed {
			return
		}
	}
}

const rest = " HTTP/1.1\r\nHost: x\r\n\r\n"

func TestAParkedConnectionGoesOn(t *testing.T) {
	t.Parallel()
	s := serve(t, time.Minute)
	for _, path := range []string{"/one", "/two", "/three"} {
		s.send(t, "GET "+path+rest)
		s.answer(t, path)
		s.parked(t)
	}
	s.send(t, "G") // a byte that wakes it
	<-time.After(20 * time.Millisecond)
	s.send(t, "ET /four"+rest+"GET /five"+rest)
	s.answer(t, "/four")
	s.answer(t, "/five")
}

// TestABegunRequestIsNotParked sends the first bytes of a request with the one before it: the
// server has them in its buffer while it waits.
func TestABegunRequestIsNotParked(t *testing.T) {
	t.Parallel()
	for _, begun := range []string{"G", "GET", "GET /two HT", "GET /two HTTP/1.1\r\n"} {
		t.Run(begun, func(t *testing.T) {
			t.Parallel()
			s := serve(t, time.Minute)
			for range 2 { // also when it has been parked
				s.send(t, "GET /one"+rest+begun)
				s.answer(t, "/one")
				<-time.After(1500 * time.Millisecond)
				s.send(t, ("GET /two" + rest)[len(begun):])
				s.answer(t, "/two")
				s.parked(t)
			}
		})
	}
}

func TestAParkedConnectionEndsInTime(t *testing.T) {
	t.Parallel()
	s := serve(t, 1500*time.Millisecond)
	s.send(t, "GET /one"+rest)
	s.answer(t, "/one")
	s.parked(t)
	_, err := s.answers.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

func TestShutdownEndsWhatIsParked(t *testing.T) {
	t.Parallel()
	s := serve(t, time.Minute)
	s.send(t, "GET /one"+rest)
	s.answer(t, "/one")
	s.parked(t)
	require.NoError(t, s.server.Shutdown(t.Context()))
	_, err := s.answers.ReadByte()
	require.ErrorIs(t, err, io.EOF)
}

// TestAClosedConnectionIsForgotten leaves it to goleak to look for the goroutine.
func TestAClosedConnectionIsForgotten(t *testing.T) {
	t.Parallel()
	s := serve(t, time.Minute)
	s.send(t, "GET /one"+rest)
	s.answer(t, "/one")
	s.parked(t)
	require.NoError(t, s.Close())
}
