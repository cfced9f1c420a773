package s3test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// Client returns a client of the server's owner, for what the methods here do not do.
func (s *Server) Client() *s3.Client { return s.client }

func newClient(s *Server, c *http.Client) *s3.Client {
	return s3.New(s3.Options{
		Region: Region, BaseEndpoint: &s.Endpoint, UsePathStyle: true, HTTPClient: c,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, s.SecretKey, ""),
	})
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
	_, err := s.client.CreateBucket(tb.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	require.NoError(tb, err)
}

// Put stores an object as S3 does by default, with a CRC64NVME, and creates the bucket.
func (s *Server) Put(tb testing.TB, bucket, key string, data []byte) {
	tb.Helper()
	s.Bucket(tb, bucket)
	_, err := s.client.PutObject(tb.Context(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: bytes.NewReader(data), ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme,
	})
	require.NoError(tb, err)
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
func (s *Server) Delete(tb testing.TB, bucket, key string) {
	tb.Helper()
	_, err := s.client.DeleteObject(tb.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	require.NoError(tb, err)
}

// Public lets everybody list and read the bucket.
func (s *Server) Public(tb testing.TB, bucket string) {
	tb.Helper()
	s.Bucket(tb, bucket)
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
		`"Action":["s3:ListBucket","s3:GetObject"],"Resource":["arn:aws:s3:::` + bucket + `","arn:aws:s3:::` + bucket + `/*"]}]}`
	_, err := s.client.PutBucketPolicy(tb.Context(), &s3.PutBucketPolicyInput{Bucket: &bucket, Policy: aws.String(policy)})
	require.NoError(tb, err)
}
