package transport_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/internal/silence"
	"github.com/spinup-llm/spinup/source/internal/transport"
	"github.com/stretchr/testify/require"
)

// What goes on, however slowly, is read to its end; what falls silent inside an answer is given
// up, where the context says so.
func TestSilentAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pause, limit time.Duration
		want         string // "" where the answer is had
		after        time.Duration
	}{
		"slow":     {29 * time.Second, 30 * time.Second, "", 58 * time.Second},
		"silent":   {time.Hour, 30 * time.Second, "no byte for 30s", 30 * time.Second},
		"no limit": {time.Hour, 0, "", 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				own := transport.New(nil)
				own.DialContext = func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					go answer(there, c.pause)
					return here, nil
				}
				defer time.Sleep(3 * time.Hour) // until the server has ended
				defer own.CloseIdleConnections()
				req, err := http.NewRequestWithContext(silence.Within(t.Context(), c.limit), http.MethodGet, "http://hub/", http.NoBody)
				require.NoError(t, err)
				start := time.Now()
				res, err := (&http.Client{Transport: own}).Do(req)
				require.NoError(t, err)
				data, err := io.ReadAll(res.Body)
				require.NoError(t, res.Body.Close())
				require.Equal(t, c.after, time.Since(start))
				if c.want != "" {
					require.EqualError(t, err, c.want)
					return
				}
				require.NoError(t, err)
				require.Equal(t, "abc", string(data))
			})
		})
	}
}

// answer sends three bytes, with pauses between them.
func answer(conn net.Conn, pause time.Duration) {
	defer conn.Close()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na")
	for _, piece := range []string{"b", "c"} {
		time.Sleep(pause)
		if err == nil {
			_, err = io.WriteString(conn, piece)
		}
	}
}
