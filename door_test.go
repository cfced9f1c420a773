package spinup_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// serveDoor serves tiny until the test ends and returns the address, and how many goroutines
// the door has.
func serveDoor(t *testing.T, o *spinup.Options) (addr string, goroutines func() int) {
	t.Helper()
	d, err := spinup.New(o, tiny())
	require.NoError(t, err)
	l, err := spinup.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go pprof.Do(ctx, pprof.Labels("door", t.Name()), func(ctx context.Context) { ended <- d.Serve(ctx, l) })
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.NoError(t, d.Ready(t.Context()))
	return l.Addr().String(), func() int { return labelled(t, t.Name()) }
}

// labelled counts the goroutines with a label: those of other tests have none.
func labelled(t *testing.T, name string) (n int) {
	t.Helper()
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	groups := regexp.MustCompile(`(?m)^(\d+) @.*\n# labels: .*"door":` + regexp.QuoteMeta(strconv.Quote(name)))
	for _, group := range groups.FindAllStringSubmatch(profile.String(), -1) {
		count, err := strconv.Atoi(group[1])
		require.NoError(t, err)
		n += count
	}
	return n
}

// raw sends bytes over a connection of its own, without an end, and returns what comes back
// until the server closes.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	return rawBytes(t, addr, []byte(request))
}

func rawBytes(t *testing.T, addr string, request []byte) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	go func() { _, _ = c.Write(request) }() // it may be closed in the middle
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// TestTheDoorHoldsOut has clients that are slow, send too much or nonsense. They get the right
// status, and leave no goroutine and no memory.
//
//nolint:paralleltest // it measures the memory of this process
func TestTheDoorHoldsOut(t *testing.T) {
	o := quiet()
	o.Gateway = replica.GatewayOptions{MaxBody: 1 << 20, BodyWithin: 3 * time.Second}
	addr, goroutines := serveDoor(t, o)
	running, before := goroutines(), heap()
	require.Positive(t, running)
	const post = "POST /v1/completions HTTP/1.1\r\nHost: x\r\n"
	var wg sync.WaitGroup
	for request, want := range map[string]string{
		post + "Content-Length: 50\r\n\r\n{\"model\":":                                                "408 Request Timeout",
		post + "Content-Length: 2000000\r\n\r\n" + strings.Repeat("x", 2000000):                       "413 Request Entity Too Large",
		post + "Transfer-Encoding: chunked\r\n\r\n1e8480\r\n" + strings.Repeat("x", 2000000) + "\r\n": "413 Request Entity Too Large",
		post + "Connection: close\r\nContent-Length: 9\r\n\r\n{\"model\":":                            "400 Bad Request",
		post + "Connection: close\r\nContent-Length: 20001\r\n\r\n" + strings.Repeat("[", 20001):      "400 Bad Request",
		post + strings.Repeat("X-Flood: "+strings.Repeat("y", 1000)+"\r\n", 100) + "\r\n":             "431 Request Header Fields Too Large",
		post + "X-Flood: " + strings.Repeat("y", 200000) + "\r\n\r\n":                                 "431 Request Header Fields Too Large",
		"GET /" + strings.Repeat("y", 200000) + " HTTP/1.1\r\n\r\n":                                   "431 Request Header Fields Too Large",
		post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n":                                       "400 Bad Request",
		post + "Content-Length: -1\r\n\r\n":                                                           "400 Bad Request",
		"nonsense\r\n\r\n":                                                                            "400 Bad Request",
		"POST /v1/completions HTTP/1.1\r\nHost: x\r\nX-Slow":                                          "", // never ends its header: cut without a word, or with 408
	} {
		for range 5 {
			wg.Go(func() {
				answer := raw(t, addr, request)
				line, _, _ := strings.Cut(answer, "\r\n")
				if want != "" && !strings.HasSuffix(line, want) {
					t.Errorf("%.60q: %q, want %s", request, line, want)
				}
			})
		}
	}
	wg.Wait()
	asBefore(t, goroutines, running, before)
	code, body := ask(t, http.DefaultClient, "http://"+addr+"/v1/completions", `{"model":"tiny","prompt":"Hello","max_tokens":2}`)
	require.Equal(t, http.StatusOK, code, body)
}

// asBefore waits until there are no more goroutines than before, nor, up to a MiB, memory.
func asBefore(t *testing.T, goroutines func() int, running int, bytes uint64) {
	t.Helper()
	var now int
	var used uint64
	require.Eventually(t, func() bool {
		now, used = goroutines(), heap()
		return now <= running && used < bytes+1<<20
	}, 20*time.Second, 50*time.Millisecond, "%d goroutines and %d bytes before, %d and %d now", running, bytes, now, used)
	t.Logf("before and after: %d and %d goroutines, %d and %d KiB", running, now, bytes>>10, used>>10)
}

func ask(t *testing.T, c *http.Client, url, body string, header ...string) (code int, answer string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Close = true
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Proto + " " + string(text)
}

// TestRandomBadRequests damages a good request in 100 ways. The answer is never one of the
// server's failure, and never of another shape than OpenAI's where the gateway gives it.
//
//nolint:paralleltest // as above
func TestRandomBadRequests(t *testing.T) {
	o := quiet()
	o.Gateway.BodyWithin = 2 * time.Second
	addr, goroutines := serveDoor(t, o)
	running, before := goroutines(), heap()
	random := rand.New(rand.NewPCG(1, 2))
	var wg sync.WaitGroup
	for range 100 {
		body := damaged(random, `{"model":"tiny","prompt":"Hello","max_tokens":1,"n":1}`)
		request := damaged(random, fmt.Sprintf(
			"POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		wg.Go(func() {
			answer := rawEnded(t, addr, request)
			if answer == "" {
				return // a header without an end
			}
			resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
			if err != nil {
				t.Errorf("%q: %v", request, err)
				return
			}
			defer func() { _ = resp.Body.Close() }()
			if resp.StatusCode >= 500 && resp.StatusCode != http.StatusNotImplemented && resp.StatusCode != http.StatusHTTPVersionNotSupported {
				t.Errorf("%q: %q", request, answer)
			}
		})
	}
	wg.Wait()
	asBefore(t, goroutines, running, before)
}

// rawEnded is raw for a client that says that it is done.
func rawEnded(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, _ = io.WriteString(c, request)
	_ = c.(*net.TCPConn).CloseWrite()
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// damaged changes up to three bytes of s, or cuts it.
func damaged(random *rand.Rand, s string) string {
	b := []byte(s)
	for range random.IntN(4) {
		b[random.IntN(len(b))] = byte(random.IntN(256))
	}
	if random.IntN(4) == 0 {
		b = b[:random.IntN(len(b))]
	}
	return string(b)
}

// certificate returns one for 127.0.0.1 and who trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates, MinVersion: tls.VersionTLS12}, pool
}

func TestHTTPSAndHTTP2WithKeys(t *testing.T) {
	t.Parallel()
	o := quiet()
	config, pool := certificate(t)
	o.TLS, o.Gateway.Keys, o.Aliases = config, replica.Keys{replica.NewKey("canary")}, map[string]string{"gpt-4o": "tiny"}
	addr, _ := serveDoor(t, o)
	for proto, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: two}
		c := &http.Client{Transport: transport}
		const body = `{"model":"gpt-4o","prompt":"Hello","max_tokens":3,"stream":true}`
		code, answer := ask(t, c, "https://"+addr+"/v1/completions", body, "Authorization", "Bearer canary")
		require.Equal(t, http.StatusOK, code, answer)
		require.True(t, strings.HasPrefix(answer, proto+" data: "), answer)
		require.True(t, strings.HasSuffix(answer, "data: [DONE]\n\n"), answer)
		code, answer = ask(t, c, "https://"+addr+"/v1/completions", body)
		require.Equal(t, http.StatusUnauthorized, code, answer)
		transport.CloseIdleConnections()
	}
	require.Contains(t, raw(t, addr, "GET /healthz HTTP/1.1\r\n\r\n"), "HTTPS server")
}

func TestWhatNeedsAKey(t *testing.T) {
	t.Parallel()
	o := quiet()
	o.Gateway.Keys = replica.Keys{replica.NewKey("canary")}
	d, err := spinup.New(o, tiny())
	require.NoError(t, err)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/v1/models": 401, "/v1/models/tiny": 401, "/nothing": 401} {
		code, _ := get(t, d.Handler(), path)
		require.Equal(t, want, code, path)
	}
	code, body := get(t, d.StartupPage(), "/debug/startup")
	require.Equal(t, http.StatusUnauthorized, code)
	require.NotContains(t, body, "tiny")
}

func TestAliasesAreChecked(t *testing.T) {
	t.Parallel()
	for alias, says := range map[string]string{"tiny": "a model has this name", "gpt": "tiny"} {
		o := quiet()
		o.Aliases = map[string]string{alias: "tinny"}
		_, err := spinup.New(o, tiny())
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "Aliases["+alias+"]")
	}
}
