//go:build linux

package hubserver_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/hubserver"
	"github.com/stretchr/testify/require"
)

func TestLargeFilesComeFromElsewhere(t *testing.T) {
	t.Parallel()
	data, blobs := t.TempDir(), t.TempDir()
	large := []byte("weights")
	require.NoError(t, os.WriteFile(filepath.Join(data, "model.safetensors"), large, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(data, "config.json"), []byte("{}"), 0o600))

	in, end := io.Pipe()
	out, printed := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- hubserver.Main(t.Context(), []string{
			"-id", "bench/tiny", "-data", data, "-cdn", "http://cdn.invalid", "-blobs", blobs, "-socket", filepath.Join(t.TempDir(), "s"),
		}, in, printed)
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	transport := &http.Transport{DisableKeepAlives: true}
	ask := func(path string) (status int, location string) {
		req, fault := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.TrimSpace(line)+path, http.NoBody)
		require.NoError(t, fault)
		res, fault := transport.RoundTrip(req)
		require.NoError(t, fault)
		require.NoError(t, res.Body.Close())
		return res.StatusCode, res.Header.Get("Location")
	}
	sum := sha256.Sum256(large)
	name := hex.EncodeToString(sum[:])
	_, location := ask("/bench/tiny/resolve/main/model.safetensors")
	require.Regexp(t, `^http://cdn\.invalid/xet-bridge/[^/]+/`+name+`\?`, location)
	status, _ := ask("/bench/tiny/resolve/main/config.json")
	require.Equal(t, http.StatusTemporaryRedirect, status)

	entries, err := os.ReadDir(blobs)
	require.NoError(t, err)
	require.Len(t, entries, 1, "what is small needs no link")
	linked, err := os.ReadFile(filepath.Join(blobs, name))
	require.NoError(t, err)
	require.Equal(t, large, linked)

	require.NoError(t, end.Close())
	require.NoError(t, <-done)
}
