package s3_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/crc64nvme"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// withSum is data with the checksum of what should be there.
func withSum(data, should string) s3test.Object {
	h := crc64nvme.New()
	_, _ = h.Write([]byte(should))
	return s3test.Object{Data: []byte(data), Algorithm: "CRC64NVME", Type: "FULL_OBJECT", Headers: map[string]string{
		"x-amz-checksum-crc64nvme": base64.StdEncoding.EncodeToString(h.Sum(nil)), "x-amz-checksum-type": "FULL_OBJECT",
	}}
}

// The digest that an answer brings is held against its bytes, and remembered.
func TestDigestComesWithTheBytes(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.PutObject("models", "llama/a", withSum("data", "data"))
	src, dir := open(t, "s3://models/llama", fake.Env()), t.TempDir()
	man, err := download.Default.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.Len(t, fake.Requests(), 2, "a list and a GET: %v", fake.Requests())
	require.NoError(t, download.Verify(t.Context(), man, dir))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("dato"), 0o600))
	require.ErrorIs(t, download.Verify(t.Context(), man, dir), lifecycle.Corrupt)

	fake.PutObject("models", "llama/a", withSum("dato", "data"))
	_, err = download.Default.Fetch(t.Context(), src, t.TempDir())
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.Len(t, fake.Requests(), 2+3, "a list, and the file twice: %v", fake.Requests())
}

// Where the bytes come in ranges, the digest is asked for.
func TestDigestIsAskedForAfterRanges(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.PutObject("models", "llama/a", withSum("some data", "some data"))
	fake.PutObject("models", "llama/b", withSum("some dato", "some data"))
	src := open(t, "s3://models/llama", fake.Env())
	m := &download.Manager{PartSize: 4}
	man, err := m.Resolve(t.Context(), src)
	require.NoError(t, err)
	good := man.Filter(func(f source.File) bool { return f.Path == "a" })
	for _, c := range []struct {
		man  *source.Manifest
		want error
	}{{good, nil}, {man, lifecycle.Corrupt}} {
		plan, err := m.Plan(t.Context(), c.man, t.TempDir())
		require.NoError(t, err)
		for _, e := range m.Run(t.Context(), src, plan) {
			err = e
		}
		require.ErrorIs(t, err, c.want)
	}
	require.Contains(t, fake.Requests(), "HEAD /models/llama/a")
}
