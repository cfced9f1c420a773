package download_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// helperEnv makes the test binary another program, so that tests have a process to kill
// and benchmarks a server whose CPU time is not theirs.
const helperEnv = "SPINUP_DOWNLOAD_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "":
		os.Exit(m.Run())
	case "serve":
		serveFiles(os.Args[1])
	case "fetch":
		fetchURL(os.Args[1], os.Args[2])
	case "acquire":
		acquireURL(os.Args[1], os.Args[2])
	}
}

// helper returns the command of another program.
func helper(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), helperEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// serveFiles serves dir over HTTP until its standard input ends.
func serveFiles(dir string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic((&http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: time.Minute}).Serve(l))
}

// startServer runs serveFiles in a process of its own and returns its address.
func startServer(t testing.TB, dir string) string {
	t.Helper()
	cmd := helper(t.Context(), "serve", dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// web is a Source of a plain HTTP server.
type web struct {
	base   string
	client *http.Client
	man    source.Manifest
}

func newWeb(base string, files []source.File) *web {
	return &web{
		base:   base,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}},
		man:    source.Manifest{URI: base, Revision: "1", Files: files},
	}
}

func (w *web) Resolve(context.Context) (*source.Manifest, error) { return &w.man, nil }

func (w *web) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+f.Path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusPartialContent {
		resp.Body.Close()
		return nil, &lifecycle.Error{Op: "web.Open", Kind: lifecycle.Unavailable, Target: f.Path, Err: fmt.Errorf("%s", resp.Status)}
	}
	return resp.Body, nil
}

// fetchURL and acquireURL are what the programs that get killed do.
func fetchURL(url, dir string) {
	panic("x")
}
func acquireURL(url, dir string) {
	panic("x")
}
