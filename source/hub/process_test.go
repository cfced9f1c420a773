package hub_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const (
	// helperEnv makes the test binary a program that downloads, so that there is a process to kill.
	helperEnv         = "SPINUP_HUB_HELPER"
	helperConnections = 2
)

func TestMain(m *testing.M) {
	if os.Getenv(helperEnv) == "" {
		os.Exit(m.Run())
	}
	if err := acquireHere(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// acquireHere downloads uri with the environment of the process. It receives no more than
// it is ready to keep, so that what a server has sent has arrived.
func acquireHere(ctx context.Context, uri string) error {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return c, err
	}
	mux := source.Mux{HTTP: &http.Client{Transport: &http.Transport{DialContext: dial, DisableCompression: true}}}
	mux.Handle("hf", hub.Opener(nil))
	src, err := mux.Open(ctx, uri)
	if err != nil {
		return err
	}
	m := &download.Manager{Budget: &download.Budget{Connections: helperConnections}}
	lease, err := new(download.Cache).Acquire(ctx, m, src, nil, nil, nil)
	if err != nil {
		return err
	}
	fmt.Println(lease.Dir)
	return lease.Close()
}

// helper returns the command of a process that downloads from h.
func helper(t *testing.T, h *hubtest.Hub) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "hf://acme/tiny")
	cmd.Env = append(append(os.Environ(), helperEnv+"=1"), h.Env().Environ()...)
	cmd.Stderr = os.Stderr
	return cmd
}

func randomText(n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(rand.NewChaCha8([32]byte{1}), b)
	return b
}

// Processes that want the same at once fetch each byte once.
func TestProcessesShareADownload(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	data := randomText(20 << 20)
	h.Put(id, weights, data)
	h.Put(id, "config.json", []byte(text(3000)))
	var sent atomic.Int64
	h.Break(hubtest.Fault{CDN: true, Do: hubtest.Watch(func(n int) { sent.Add(int64(n)) })})
	var g errgroup.Group
	for range 3 {
		cmd := helper(t, h)
		g.Go(cmd.Run)
	}
	require.NoError(t, g.Wait())
	require.GreaterOrEqual(t, sent.Load(), int64(len(data)))
	require.Less(t, sent.Load(), int64(len(data))*3/2, "a range that was cut may have been on its way, and no more")
	require.Equal(t, 1, count(h, false, "/resolve-cache/"))
	requireFile(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir, weights, string(data))
}

// Killed in the middle, a download goes on where it was.
func TestKilledDownloadGoesOn(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	data := randomText(48 << 20)
	h.Put(id, weights, data)
	var sent atomic.Int64
	var victim atomic.Pointer[os.Process]
	h.Break(hubtest.Fault{CDN: true, Do: hubtest.Watch(func(n int) {
		if p := victim.Load(); sent.Add(int64(n)) > int64(len(data))*6/10 && p != nil {
			_ = p.Kill()
		}
	})})
	cmd := helper(t, h)
	cmd.Stderr = nil
	require.NoError(t, cmd.Start())
	victim.Store(cmd.Process)
	require.ErrorContains(t, cmd.Wait(), "killed")
	victim.Store(nil)
	require.NoDirExists(t, filepath.Join(modelDir(h), "snapshots"))

	require.NoError(t, helper(t, h).Run())
	requireFile(t, acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir, weights, string(data))
	twice := sent.Load() - int64(len(data))
	t.Logf("%d bytes were sent twice", twice)
	require.LessOrEqual(t, twice, int64(max(len(data)/20, helperConnections*4<<20)))
}

// Whoever waits for another tool sees how far that is.
func TestWaitingShowsProgress(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	src := open(t, "hf://acme/tiny", h.Env())
	f := listed(t, src, weights)
	dir := modelDir(h)
	locks := filepath.Join(dir, "../.locks", filepath.Base(dir))
	require.NoError(t, os.MkdirAll(locks, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "blobs"), 0o755))
	other := flock.New(filepath.Join(locks, f.Version+".lock"))
	require.NoError(t, other.Lock())
	partial := filepath.Join(dir, "blobs", f.Version+".0123abcd.incomplete")
	require.NoError(t, os.WriteFile(partial, make([]byte, 60_000), 0o600))
	var once sync.Once
	lease, err := new(download.Cache).Acquire(t.Context(), nil, src, nil, nil, func(p download.Progress) {
		once.Do(func() {
			require.Equal(t, []string{weights}, p.Current)
			require.Equal(t, int64(60_000), p.BytesDone)
			require.Equal(t, len(model)-1, p.Files)
			old := time.Now().Add(-time.Hour)
			require.NoError(t, os.Chtimes(partial, old, old)) // it is killed
			require.NoError(t, other.Unlock())
		})
	})
	require.NoError(t, err)
	requireModel(t, lease.Dir)
	require.NoFileExists(t, partial, "what it left is swept")
	require.NoError(t, lease.Close())
}
