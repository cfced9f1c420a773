package download_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// helperEnv makes the test binary another program, so that tests have a process to kill
// and benchmarks a server whose CPU time is not theirs.
const helperEnv = "SPINUP_DOWNLOAD_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "":
		goleak.VerifyTestMain(m)
	case "serve":
		serveFiles(os.Args[1])
	case "fetch":
		fetchURL(os.Args[1], os.Args[2])
	case "stream":
		streamURL(os.Args[1], os.Args[2])
	case "acquire":
		acquireURL(os.Args[1], os.Args[2])
	case "hub":
		acquireHub(os.Args[1], os.Args[2])
	case "lacking":
		acquireLacking(os.Args[1:]...)
	case "reads":
		countReads(os.Args[1], os.Args[2])
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
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
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
func startServer(b *testing.B, dir string) string {
	b.Helper()
	cmd := helper(b.Context(), "serve", dir)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
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
		base: base,
		client: &http.Client{Transport: &http.Transport{
			MaxIdleConnsPerHost: 64, DisableCompression: true,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := new(net.Dialer).DialContext(ctx, network, addr)
				if size := os.Getenv("SPINUP_DOWNLOAD_RCVBUF"); err == nil && size != "" {
					err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
				}
				return c, err
			},
		}},
		man: source.Manifest{URI: base, Revision: "1", Files: files},
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

// fetchURL and acquireURL are what the programs that are killed, or run twice, do.
func fetchURL(url, dir string) {
	m := &download.Manager{Budget: &download.Budget{Connections: killConnections, BytesPerSecond: 200 * mib}, PartSize: 4 * mib}
	if _, err := m.Fetch(context.Background(), listed(url), dir); err != nil {
		panic(err)
	}
}

// streamURL reads all files from their ends, while they come.
func streamURL(url, store string) {
	m := &download.Manager{Budget: &download.Budget{Connections: killConnections, BytesPerSecond: 200 * mib}, PartSize: 4 * mib}
	src := listed(url)
	man, err := source.NewManifest(src.man.URI, src.man.Revision, src.man.Files)
	if err != nil {
		panic(err)
	}
	man.URI = "web://model" // a server of the next try has the same address
	a, err := (&download.Cache{StoreDir: store}).Stream(context.Background(), m, src, man, nil)
	if err != nil {
		panic(err)
	}
	defer a.Close()
	r := a.Reader()
	for _, f := range man.Files {
		for end := f.Size; end > 0; end -= min(end, mib) {
			body, err := r.Open(context.Background(), f, max(end-mib, 0), min(end, mib))
			if err != nil {
				panic(err)
			}
			if n, err := io.Copy(io.Discard, body); err != nil || n != min(end, mib) {
				panic(fmt.Sprint(n, err))
			}
			_ = body.Close()
		}
	}
	if err := r.Verified(context.Background()); err != nil {
		panic(err)
	}
}

func acquireURL(url, store string) {
	c := &download.Cache{StoreDir: store}
	lease, err := c.Acquire(context.Background(), &download.Manager{Budget: &download.Budget{BytesPerSecond: 20 * mib}}, listed(url), nil, nil, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(lease.Dir)
	_, _ = io.Copy(io.Discard, os.Stdin) // the lease lasts until the test has looked
}

// listed is the web source of an origin.
func listed(url string) *web {
	resp, err := http.Get(url + "/list") //nolint:noctx // a test program
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	w := newWeb(url, nil)
	if err := json.NewDecoder(resp.Body).Decode(&w.man.Files); err != nil {
		panic(err)
	}
	return w
}

// An origin serves files from this process and counts what it sends.
type origin struct {
	*httptest.Server
	files  []source.File
	sent   atomic.Int64
	onSend func(total int64)
}

// newOrigin serves files; onSend, which may be nil, is told the bytes sent so far.
func newOrigin(t *testing.T, files map[string][]byte, onSend func(int64), algorithms ...string) *origin {
	t.Helper()
	o := &origin{onSend: onSend}
	mux := http.NewServeMux()
	for i, path := range slices.Sorted(maps.Keys(files)) {
		data := files[path]
		o.files = append(o.files, source.File{
			Path: path, Size: int64(len(data)), Version: "1", Digest: digest(algorithms[i%len(algorithms)], data),
		})
		mux.HandleFunc("/"+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(sender{w, o}, r, "", time.Time{}, bytes.NewReader(data))
		})
	}
	mux.HandleFunc("/list", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(o.files) })
	o.Server = httptest.NewUnstartedServer(mux)
	o.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if s == http.StateNew { // so that what was sent was nearly received
			_ = c.(*net.TCPConn).SetWriteBuffer(32 << 10)
		}
	}
	o.Start()
	t.Cleanup(o.Close)
	return o
}

// sender counts the bytes of a body; it hides the ways around Write.
type sender struct {
	http.ResponseWriter
	o *origin
}

func (s sender) Write(p []byte) (int, error) {
	n, err := s.ResponseWriter.Write(p)
	if total := s.o.sent.Add(int64(n)); s.o.onSend != nil {
		s.o.onSend(total)
	}
	return n, err
}
