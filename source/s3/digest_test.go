package s3_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// Only what is a digest of the whole object becomes one. That of a small object is told late,
// by the answer that brings it, or when it is asked for.
func TestDigestOf(t *testing.T) {
	t.Parallel()
	sum := func(b ...byte) string { return base64.StdEncoding.EncodeToString(b) }
	full := func(algorithm, header, value string) s3test.Object {
		return s3test.Object{Algorithm: algorithm, Type: "FULL_OBJECT", Headers: map[string]string{
			header: value, "x-amz-checksum-type": "FULL_OBJECT",
		}}
	}
	parts := s3test.Object{ETag: `"d41d8cd98f00b204e9800998ecf8427e-2"`}
	composite := s3test.Object{ETag: parts.ETag, Algorithm: "SHA256", Type: "COMPOSITE"}
	unsaid := s3test.Object{ETag: parts.ETag, Algorithm: "SHA256", Headers: map[string]string{"x-amz-checksum-sha256": sum(1, 2) + "-2"}}
	encrypted := func(key, value string) s3test.Object { return s3test.Object{Headers: map[string]string{key: value}} }
	for name, c := range map[string]struct {
		object s3test.Object
		want   string
		late   bool
	}{
		"crc64nvme":            {full("CRC64NVME", "x-amz-checksum-crc64nvme", sum(1, 2, 3, 4, 5, 6, 7, 8)), "crc64nvme:0102030405060708", true},
		"crc32c":               {full("CRC32C", "x-amz-checksum-crc32c", sum(1, 2, 3, 4)), "crc32c:01020304", true},
		"crc32":                {full("CRC32", "x-amz-checksum-crc32", sum(1, 2, 3, 4)), "crc32:01020304", true},
		"sha256":               {full("SHA256", "x-amz-checksum-sha256", sum(make([]byte, 32)...)), "sha256:" + strings.Repeat("00", 32), true},
		"an unknown one":       {full("SHA1", "x-amz-checksum-sha1", sum(1)), "md5:d41d8cd98f00b204e9800998ecf8427e", true},
		"parts":                {parts, "", true},
		"composite":            {composite, "", true},
		"composite, unsaid":    {unsaid, "", true},
		"md5":                  {s3test.Object{}, "md5:d41d8cd98f00b204e9800998ecf8427e", true},
		"md5, encrypted":       {encrypted("x-amz-server-side-encryption", "AES256"), "md5:d41d8cd98f00b204e9800998ecf8427e", true},
		"no md5, KMS":          {encrypted("x-amz-server-side-encryption", "aws:kms"), "", true},
		"no md5, KMS twice":    {encrypted("x-amz-server-side-encryption", "aws:kms:dsse"), "", true},
		"no md5, customer":     {encrypted("x-amz-server-side-encryption-customer-algorithm", "AES256"), "", true},
		"an ETag of one's own": {s3test.Object{ETag: `"W/17"`}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake(t)
			fake.PutObject("models", "llama/a", c.object)
			src := open(t, "s3://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			f := m.Files[0]
			for _, r := range fake.Requests() {
				require.NotContains(t, r, "HEAD", "a listing says enough")
			}
			require.False(t, f.Digest.Known())
			require.Equal(t, c.late, f.Digest != source.Digest{})
			d, err := src.(source.Digester).Digest(t.Context(), f)
			require.NoError(t, err)
			require.Equal(t, c.want, d.String())
		})
	}
}

// Of an upload in parts, a real server's checksum of the whole is the file's own.
func TestMultipart(t *testing.T) {
	t.Parallel()
	each(t, testMultipart)
}

func testMultipart(t *testing.T, srv *s3test.Server) {
	t.Helper()
	srv.Bucket(t, "models")
	data := bytes.Repeat([]byte("0123456789abcdef"), (11<<20)/16)
	for algorithm, typ := range map[types.ChecksumAlgorithm]types.ChecksumType{
		types.ChecksumAlgorithmCrc64nvme: types.ChecksumTypeFullObject,
		types.ChecksumAlgorithmCrc32c:    types.ChecksumTypeFullObject,
		types.ChecksumAlgorithmCrc32:     types.ChecksumTypeFullObject,
		types.ChecksumAlgorithmSha256:    types.ChecksumTypeComposite,
	} {
		upload(t, srv, "llama/"+string(algorithm), data, algorithm, typ)
	}
	upload(t, srv, "llama/parts", data, types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite)
	src := open(t, "s3://models/llama", srv.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 5)
	for _, f := range m.Files {
		require.Contains(t, f.Version, "-3", "the ETag is one of parts")
		f.Digest = told(t, src, f)
		require.Contains(t, digestsOf(f.Path), f.Digest.Algorithm, f.Path)
		hash := f.Digest.NewHash(f.Size)
		_, err := hash.Write(data)
		require.NoError(t, err)
		require.True(t, f.Digest.Equal(hash.Sum(nil)), f.Path)
		require.Equal(t, string(data), readAll(t, src, f))
	}
}

// digestsOf are the digests that are fine for an upload of TestMultipart: CRCs of parts can be made
// into that of the whole where a server tells them.
func digestsOf(path string) []string {
	switch path {
	case "SHA256":
		return []string{source.Pieces("sha256", 5<<20)}
	case "parts":
		return []string{"crc32c", source.Pieces("crc32c", 5<<20)}
	default:
		return []string{strings.ToLower(path)}
	}
}

func upload(t *testing.T, srv *s3test.Server, key string, data []byte, algorithm types.ChecksumAlgorithm, typ types.ChecksumType) {
	t.Helper()
	bucket, c := "models", srv.Client()
	made, createErr := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: &bucket, Key: &key, ChecksumAlgorithm: algorithm, ChecksumType: typ,
	})
	require.NoError(t, createErr)
	var parts []types.CompletedPart
	for n := int32(1); len(data) > 0; n++ {
		part := data[:min(len(data), 5<<20)]
		data = data[len(part):]
		out, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
			Bucket: &bucket, Key: &key, UploadId: made.UploadId, PartNumber: &n, Body: bytes.NewReader(part), ChecksumAlgorithm: algorithm,
		})
		require.NoError(t, err)
		parts = append(parts, types.CompletedPart{
			PartNumber: &n, ETag: out.ETag, ChecksumCRC64NVME: out.ChecksumCRC64NVME, ChecksumCRC32C: out.ChecksumCRC32C,
			ChecksumCRC32: out.ChecksumCRC32, ChecksumSHA256: out.ChecksumSHA256,
		})
	}
	_, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: &bucket, Key: &key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}, ChecksumType: typ,
	})
	require.NoError(t, err)
}
