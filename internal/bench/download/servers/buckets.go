//go:build linux

package servers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
)

// Versitygw serves a copy of a set below dir. program comes from internal/setup/tool.sh.
func Versitygw(ctx context.Context, program, dir string, set *dataset.Set, secure bool) (*Server, error) {
	s, err := newServer("versitygw", dir, secure)
	if err != nil {
		return nil, err
	}
	port, data, err := s.folder(ctx, dir)
	if err != nil {
		return nil, err
	}
	args := []string{"--keep-alive", "--quiet", "--access", AccessKey, "--secret", SecretKey, "--region", "us-east-1"}
	if secure {
		args = append(args, "--cert", s.CA, "--key", filepath.Join(dir, keyName), "--access-log", s.logs(dir))
	}
	args = append(args, "--port", port.Addr, "--port", port.Socket, "posix", data)
	cmd := exec.CommandContext(ctx, program, args...)
	if err := s.start(cmd); err != nil {
		return nil, err
	}
	return s, s.upload(ctx, set)
}

// Minio serves a copy of a set below dir.
func Minio(ctx context.Context, program, dir string, set *dataset.Set, secure bool) (*Server, error) {
	s, err := newServer("minio", dir, secure)
	if err != nil {
		return nil, err
	}
	port, data, err := s.folder(ctx, dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "server", "--quiet", "--address", port.Addr, "--certs-dir", dir, data) //nolint:gosec // see above
	cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+AccessKey, "MINIO_ROOT_PASSWORD="+SecretKey, "MINIO_BROWSER=off")
	if err := errors.Join(s.start(cmd), s.relay(ctx, port)); err != nil {
		return nil, err
	}
	return s, s.upload(ctx, set)
}

func (s *Server) folder(ctx context.Context, dir string) (Port, string, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return Port{}, "", err
	}
	port := Port{Addr: addr, Socket: filepath.Join(dir, "s3.sock")}
	s.Ports, s.url = []Port{port}, s.scheme()+addr
	data := filepath.Join(dir, "data")
	return port, data, os.MkdirAll(data, 0o750)
}

// upload puts the set into the bucket, with the checksums that S3 has stored by default
// since the end of 2024.
func (s *Server) upload(ctx context.Context, set *dataset.Set) error {
	caller, err := s.client()
	if err != nil {
		s.Close()
		return err
	}
	defer caller.CloseIdleConnections()
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &s.url, UsePathStyle: true, HTTPClient: caller,
		Credentials:      credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		RetryMaxAttempts: 10, // MinIO listens before it is ready, which takes a while on a busy machine
	})
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Bucket)}); err != nil {
		s.Close()
		return err
	}
	for _, f := range set.Files {
		if err := put(ctx, client, set, f); err != nil {
			s.Close()
			return fmt.Errorf("upload of %s: %w", f.Path, err)
		}
	}
	return nil
}

// client trusts the server's own authority.
func (s *Server) client() (*http.Client, error) {
	transport := &http.Transport{}
	if s.CA == "" {
		return &http.Client{Transport: transport}, nil
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: transport}, nil
}

// partSize is that of the parts in which large files are uploaded, as the tools do it.
const partSize = 64 << 20

func put(ctx context.Context, client *s3.Client, set *dataset.Set, f dataset.File) error {
	body, err := os.Open(filepath.Join(set.Dir, filepath.FromSlash(f.Path)))
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	bucket, key := aws.String(Bucket), aws.String(set.Name+"/"+f.Path)
	if f.Size > partSize {
		return putParts(ctx, client, bucket, key, body, f.Size)
	}
	sum, err := checksum(body, 0, f.Size)
	if err == nil {
		_, err = client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: bucket, Key: key, Body: body, ChecksumCRC64NVME: sum, ContentLength: &f.Size,
		})
	}
	return err
}

func putParts(ctx context.Context, client *s3.Client, bucket, key *string, from io.ReaderAt, size int64) error {
	made, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc64nvme, ChecksumType: types.ChecksumTypeFullObject,
	})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for off := int64(0); off < size; off += partSize {
		number := int32(len(parts) + 1) //nolint:gosec // parts are few
		n := min(partSize, size-off)
		sum, sumErr := checksum(from, off, n)
		if sumErr != nil {
			return sumErr
		}
		out, uploadErr := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: bucket, Key: key, UploadId: made.UploadId, PartNumber: &number, ChecksumCRC64NVME: sum,
			Body: io.NewSectionReader(from, off, n),
		})
		if uploadErr != nil {
			return uploadErr
		}
		parts = append(parts, types.CompletedPart{PartNumber: &number, ETag: out.ETag, ChecksumCRC64NVME: out.ChecksumCRC64NVME})
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: key, UploadId: made.UploadId, ChecksumType: types.ChecksumTypeFullObject,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

// checksum is computed here, as the SDK would send it behind a body in one chunk over TLS, which MinIO
// refuses.
func checksum(from io.ReaderAt, off, n int64) (*string, error) {
	h := crc64nvme.New()
	if _, err := io.Copy(h, io.NewSectionReader(from, off, n)); err != nil {
		return nil, err
	}
	return aws.String(base64.StdEncoding.EncodeToString(h.Sum(nil))), nil
}
