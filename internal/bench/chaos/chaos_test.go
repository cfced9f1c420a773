//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	reference.Main() // becomes the engine when the program is started as one
	os.Exit(m.Run())
}

// TestEveryFaultOnce is the program itself, with each kind of fault. Nothing else runs in
// this process meanwhile: its children are counted.
//
//nolint:paralleltest // see above
func TestEveryFaultOnce(t *testing.T) {
	var out bytes.Buffer
	err := run(t.Context(), []string{
		"-model", "../../../examples/quickstart/model", "-kills", "1", "-rate", "4", "-duration", "500ms", "-stall", "5s", "-pause", "100ms",
	}, &out, t.Output())
	t.Log(out.String())
	require.NoError(t, err)
	for _, kind := range []string{"none", "kill", "freeze", "network", "update", "scale", "stop"} {
		require.Regexp(t, `(?m)^`+kind+` +1 `, out.String())
	}
	require.Regexp(t, `(?m)^(disk +1 |left out: disk: )`, out.String())
	require.Contains(t, out.String(), "every promise was kept")
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-replicas", "1"}, {"-rate", "-1"}, {"-kills", "-1"}, {"-faults", "fire"}, {"more"}} {
		err := run(t.Context(), args, io.Discard, io.Discard)
		require.ErrorContains(t, err, "wrong usage", args)
	}
	require.ErrorIs(t, run(t.Context(), []string{"-model", "./missing"}, io.Discard, io.Discard), os.ErrNotExist)
}

func TestClassify(t *testing.T) {
	t.Parallel()
	const token, event = `data: {"choices":[{}]}` + "\n\n", `data: {"error":{"message":"the engine ended"}}` + "\n\n"
	broken := errors.New("unexpected EOF")
	for name, c := range map[string]struct {
		status int
		stream bool
		text   string
		err    error
		want   int
	}{
		"a whole answer":              {status: 200, text: `{"choices":[]}`, want: answered},
		"a whole stream":              {status: 200, stream: true, text: token + "data: [DONE]\n\n", want: answered},
		"a refusal":                   {status: 503, text: `{"error":{}}`, want: failed},
		"nothing":                     {status: 200, err: broken, want: failed},
		"an event and no token":       {status: 200, stream: true, text: event, want: failed},
		"an event after a token":      {status: 200, stream: true, text: token + event, want: ended},
		"an event in a line's middle": {status: 200, stream: true, text: token + `data: {"choi` + "\n" + event, want: ended},
		"a stream without its end":    {status: 200, stream: true, text: token, want: cut},
		"a broken stream":             {status: 200, stream: true, text: token, err: broken, want: cut},
		"a broken stream's event":     {status: 200, stream: true, text: token + event, err: broken, want: cut},
		"half an event":               {status: 200, stream: true, text: token + event[:20], want: cut},
		"half an answer":              {status: 200, text: `{"choices":`, err: broken, want: cut},
		"half an answer, well ended":  {status: 200, text: `{"choices":`, want: cut},
	} {
		o := classify(c.status, c.stream, []byte(c.text), c.err)
		require.Equal(t, c.want, o.end, name)
		require.Equal(t, c.want == failed || c.want == cut, o.why != "", name)
	}
}

func TestTheReportNamesWhatWasBroken(t *testing.T) {
	t.Parallel()
	l := &lab{disk: new(disk)}
	l.ledger.begin("none")
	l.ledger.request(outcome{took: 20 * time.Millisecond, tries: 1})
	l.ledger.begin("kill")
	l.ledger.request(outcome{took: 40 * time.Millisecond, tries: 1})
	l.ledger.request(outcome{took: time.Hour, tries: 2, touched: true})
	l.ledger.request(outcome{end: ended, tries: 1, touched: true})
	for _, id := range []string{"A2", "B3"} {
		l.ledger.request(outcome{end: failed, why: fmt.Sprintf("status 502: %q", `{"code":"x","request_id":"`+id+`"}`)})
	}
	l.ledger.request(outcome{end: cut, why: "no end"})
	l.ledger.recovered(time.Second, []string{"7 engine"})
	l.ledger.violated("late by %d", 3)
	var out bytes.Buffer
	require.ErrorContains(t, l.report(&out), "promises were broken in 4 ways, the first: kill: a request failed before its first byte: status 502: ")
	require.Regexp(t, `(?m)^kill +1 +6 +2 +1 +2 +1 +1 +40 +40 +2\.00 +1000 +1000 +1$`, out.String())
	for _, broken := range []string{"broken 2 times: kill: a request failed", "was cut without an event: no end", "processes are left: [7 engine]", "kill: late by 3"} {
		require.Contains(t, out.String(), broken)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	values := []time.Duration{4, 1, 3, 2}
	for p, want := range map[int]time.Duration{0: 1, 25: 1, 50: 2, 51: 3, 99: 4, 100: 4} {
		require.Equal(t, want, percentile(values, p), p)
	}
	require.Zero(t, percentile(nil, 99))
}

func TestTheScheduleRepeats(t *testing.T) {
	t.Parallel()
	schedule := func(seed string) []string {
		o, err := parse([]string{"-kills", "10", "-seed", seed}, io.Discard)
		require.NoError(t, err)
		return (&lab{options: o, rand: chance(o.seed)}).schedule()
	}
	first, again := schedule("3"), schedule("3")
	require.Equal(t, first, again)
	require.NotEqual(t, first, schedule("4"))
	require.Len(t, first, 10+4*2, "without a disk of its own")
}

func TestALinkIsCutAndMended(t *testing.T) {
	t.Parallel()
	upstream, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: files("testdata"), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(upstream) }()
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	k, err := newLink(t.Context(), upstream.Addr().String())
	require.NoError(t, err)
	t.Cleanup(k.close)
	transport := new(http.Transport)
	t.Cleanup(transport.CloseIdleConnections)
	get := func() (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+k.Addr+"/7/missing", http.NoBody)
		require.NoError(t, err)
		resp, err := transport.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	for range 2 {
		status, err := get()
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, status)
		k.cut()
		_, err = get()
		require.Error(t, err)
		k.mend()
	}
}

func TestAFullDisk(t *testing.T) {
	t.Parallel()
	d, err := newDisk(t.TempDir(), 1<<20)
	if err != nil {
		require.ErrorContains(t, err, "as root")
		return
	}
	t.Cleanup(d.close)
	file := d.dir + "/file"
	require.NoError(t, d.fill())
	require.Error(t, os.WriteFile(file, []byte(strings.Repeat("x", 1<<16)), 0o600))
	require.NoError(t, d.free())
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
}
