package gcstest

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"testing"

	"cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"
)

// Client returns a client of the server's owner, for what the methods here do not do.
func (s *Server) Client() *storage.Client { return s.client }

func newClient(ctx context.Context, endpoint string, transport http.RoundTripper) (*storage.Client, error) {
	c, err := storage.NewClient(ctx, option.WithoutAuthentication(), option.WithHTTPClient(&http.Client{Transport: transport}),
		option.WithEndpoint(endpoint+"/storage/v1/"), storage.WithJSONReads(), storage.WithDisabledClientMetrics())
	if err == nil {
		c.SetRetry(storage.WithPolicy(storage.RetryNever))
	}
	return c, err
}

// Bucket creates a bucket where there is none.
func (s *Server) Bucket(tb testing.TB, bucket string) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets[bucket] {
		return
	}
	s.buckets[bucket] = true
	require.NoError(tb, s.client.Bucket(bucket).Create(tb.Context(), Project, nil))
}

// Put stores an object, and creates the bucket.
func (s *Server) Put(tb testing.TB, bucket, name string, data []byte) {
	tb.Helper()
	s.Bucket(tb, bucket)
	w := s.client.Bucket(bucket).Object(name).NewWriter(tb.Context())
	w.ChunkSize = 0 // in one request
	_, err := w.Write(data)
	require.NoError(tb, err)
	require.NoError(tb, w.Close())
}

// Upload stores the files below dir under prefix.
func (s *Server) Upload(tb testing.TB, bucket, prefix, dir string) {
	tb.Helper()
	require.NoError(tb, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(file) //nolint:gosec // a file of the test
		require.NoError(tb, err)
		rel, err := filepath.Rel(dir, file)
		require.NoError(tb, err)
		s.Put(tb, bucket, path.Join(prefix, filepath.ToSlash(rel)), data)
		return nil
	}))
}

// Delete removes an object.
func (s *Server) Delete(tb testing.TB, bucket, name string) {
	tb.Helper()
	require.NoError(tb, s.client.Bucket(bucket).Object(name).Delete(tb.Context()))
}
