package s3test_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/stretchr/testify/require"
)

func TestServer(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "sub"), 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "sub", "a.txt"), []byte("hello"), 0o600))
	srv.Upload(t, "models", "tiny", dir)
	srv.Put(t, "models", "b.txt", []byte("b"))
	srv.Public(t, "models")

	bucket := "models"
	out, err := srv.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	require.Len(t, out.Contents, 2)
	require.Equal(t, "tiny/sub/a.txt", *out.Contents[1].Key)
	for _, o := range out.Contents {
		t.Logf("%s etag=%s checksum=%v %s", *o.Key, *o.ETag, o.ChecksumAlgorithm, o.ChecksumType)
	}
	require.FileExists(t, filepath.Join(srv.Dir, "models/tiny/sub/a.txt"))

	srv.Delete(t, "models", "b.txt")
	srv.Stop()
	srv.Stop()
	_, err = srv.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	require.Error(t, err)
}
