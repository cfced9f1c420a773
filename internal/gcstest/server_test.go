package gcstest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	t.Parallel()
	srv := gcstest.Start(t)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "a.txt"), []byte("hello"), 0o600))
	srv.Upload(t, "models", "tiny", dir)

	attrs, err := srv.Client().Bucket("models").Object("tiny/sub/a.txt").Attrs(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 5, attrs.Size)
	require.EqualValues(t, 0x9a71bb4c, attrs.CRC32C, "the CRC32C of hello")

	srv.Delete(t, "models", "tiny/sub/a.txt")
	srv.Stop()
	srv.Stop()
	_, err = srv.Client().Bucket("models").Attrs(t.Context())
	require.Error(t, err)
}
