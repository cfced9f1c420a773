package web_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/internal/testserver"
	"github.com/stretchr/testify/require"
)

// A disk is a folder that a server of others shows.
type disk struct{ root, url string }

func (d disk) put(tb testing.TB, name string, data []byte) {
	tb.Helper()
	path := filepath.Join(d.root, filepath.FromSlash(name))
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tb, os.WriteFile(path, data, 0o644))
}

func (d disk) remove(tb testing.TB, name string) {
	tb.Helper()
	require.NoError(tb, os.Remove(filepath.Join(d.root, filepath.FromSlash(name))))
}

func (d disk) address() string { return d.url }

// goServer is Go's own file server.
func goServer(tb testing.TB) disk {
	tb.Helper()
	root := tb.TempDir()
	srv := httptest.NewServer(http.FileServer(http.Dir(root)))
	tb.Cleanup(srv.Close)
	return disk{root, srv.URL}
}

// pythonServer is "python3 -m http.server": it knows neither ranges nor conditions.
func pythonServer(tb testing.TB) disk {
	tb.Helper()
	python := testenv.Python(tb)
	d := disk{root: shared(tb)}
	testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		d.url = "http://" + addr.String()
		return exec.CommandContext(ctx, python, "-m", "http.server", fmt.Sprint(addr.Port), "--bind", "127.0.0.1", "--directory", d.root), "/"
	})
	return d
}

// nginxServer is nginx, which has to be installed.
func nginxServer(tb testing.TB) disk {
	tb.Helper()
	testenv.Real(tb, "nginx")
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		nginx = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(nginx); err != nil {
		tb.Fatal("nginx is not installed: apt-get install nginx-light")
	}
	d, state := disk{root: shared(tb)}, tb.TempDir()
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	file := filepath.Join(state, "nginx.conf")
	testserver.Start(tb, func(ctx context.Context, addr *net.TCPAddr) (*exec.Cmd, string) {
		d.url = "http://" + addr.String()
		conf := fmt.Sprintf(`%s daemon off; pid %s/pid; error_log %s/error.log; events {}
http { access_log off; client_body_temp_path %[2]s; proxy_temp_path %[2]s; fastcgi_temp_path %[2]s; uwsgi_temp_path %[2]s; scgi_temp_path %[2]s;
server { listen %[4]s; root %[5]s; autoindex on; } }`, user, state, state, addr, d.root)
		require.NoError(tb, os.WriteFile(file, []byte(conf), 0o600))
		cmd := exec.CommandContext(ctx, nginx, "-c", file, "-p", state)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // nginx ends its workers
		cmd.WaitDelay = 10 * time.Second
		return cmd, "/"
	})
	return d
}

// shared is a folder that another process may read.
func shared(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	require.NoError(tb, os.Chmod(dir, 0o755))
	return dir
}

// A fake shows files that no disk can hold, in one flat page, with ETags.
type fake struct {
	url string
	// before sees each request first, and has answered it when it returns true.
	before func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	files    map[string][]byte // by path
	requests []*http.Request
}

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{files: map[string][]byte{}}
	srv := httptest.NewServer(f)
	tb.Cleanup(srv.Close)
	f.url = srv.URL
	return f
}

func (f *fake) put(_ testing.TB, name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.files["/"+name] = data
}

func (f *fake) remove(_ testing.TB, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.files, "/"+name)
}

func (f *fake) address() string { return f.url }

func (f *fake) seen() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	data, ok := f.files[r.URL.Path]
	var links strings.Builder
	for path := range f.files {
		if name, below := strings.CutPrefix(path, r.URL.Path); below && strings.HasSuffix(r.URL.Path, "/") {
			fmt.Fprintf(&links, `<li><a title="x" href="./%s">%s</a>`, url.PathEscape(name), "a name")
		}
	}
	f.mu.Unlock()
	switch {
	case f.before != nil && f.before(w, r):
	case ok:
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(data)))
	case links.Len() > 0:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<html><a href="../">up</a><a href="?C=N;O=D">Name</a><a href=https://elsewhere/x>x</a><ul>%s</ul>`, links.String())
	default:
		http.NotFound(w, r)
	}
}
