package examples_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// TestSIGTERMLosesNoRequest stops serve while streams are in the middle: all of them end
// whole, and the program with 0.
func TestSIGTERMLosesNoRequest(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "serve"), "examples/testdata/tiny.yaml", "-addr", "127.0.0.1:0")
	cmd.Dir = testenv.Root(t)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var url string
	log := bufio.NewScanner(stderr)
	for log.Scan() && !strings.Contains(log.Text(), "spinup.stage=ready phase=end") {
		if _, address, ok := strings.Cut(log.Text(), "listening on "); ok {
			url = address
		}
	}
	var rest errgroup.Group
	rest.Go(func() error {
		_, copyErr := io.Copy(io.Discard, stderr)
		return copyErr
	})

	const streams = 8
	begun := make(chan struct{}, streams)
	var g errgroup.Group
	for range streams {
		g.Go(func() error { return stream(t, url, begun) })
	}
	for range streams {
		<-begun
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, g.Wait())
	require.NoError(t, rest.Wait())
	require.NoError(t, cmd.Wait(), "exit status 0")
}

// stream asks for a long answer and tells when it has begun. The answer has to be whole.
func stream(t *testing.T, url string, begun chan<- struct{}) error {
	t.Helper()
	const body = `{"model":"tiny","messages":[{"role":"user","content":"Tell me a story"}],"max_tokens":300,"stream":true,"temperature":1.5}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := new(http.Client).Do(r)
	if err != nil {
		begun <- struct{}{}
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	first := make([]byte, 16)
	_, err = io.ReadFull(resp.Body, first)
	begun <- struct{}{}
	if err != nil {
		return fmt.Errorf("%s: %w", resp.Status, err)
	}
	text, err := io.ReadAll(resp.Body)
	if err == nil && !strings.HasSuffix(strings.TrimSpace(string(text)), "data: [DONE]") {
		err = fmt.Errorf("%s: not whole: %s%s", resp.Status, first, text[max(0, len(text)-300):])
	}
	return err
}
