package web_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// A download checks what the list says, in ranges and without.
func TestFetch(t *testing.T) {
	t.Parallel()
	data := bytes.Repeat([]byte("0123456789"), 300_000)
	d := goServer(t)
	d.put(t, "llama/weights", data)
	d.put(t, "llama/sub/empty", nil)
	d.put(t, "llama/SHA256SUMS", fmt.Appendf(nil, "%x  weights\n", sha256.Sum256(data)))
	dir := t.TempDir()
	m := &download.Manager{PartSize: 1 << 20}
	_, err := m.Fetch(t.Context(), open(t, d.url+"/llama", nil), dir)
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "weights"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	require.FileExists(t, filepath.Join(dir, "sub", "empty"))

	d.put(t, "llama/SHA256SUMS", fmt.Appendf(nil, "%064x  weights\n", 1))
	_, err = m.Fetch(t.Context(), open(t, d.url+"/llama/SHA256SUMS", nil), t.TempDir())
	require.ErrorIs(t, err, lifecycle.Corrupt)
}
