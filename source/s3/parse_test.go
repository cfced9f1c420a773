package s3_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// said answers every request alike.
type said struct {
	status int
	header http.Header
	body   string
}

// RoundTrip implements http.RoundTripper.
func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: s.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: s.header.Clone(), Request: r,
		Body: io.NopCloser(strings.NewReader(s.body)), ContentLength: int64(len(s.body)),
	}, nil
}

func (s said) source(tb testing.TB) source.Source {
	tb.Helper()
	env := lifecycle.EnvVars{"AWS_ENDPOINT_URL": "http://s3.example.com", "AWS_EC2_METADATA_DISABLED": "true"}
	return openWith(tb, "s3://anonymous@models/llama/", env, &http.Client{Transport: s})
}

// patient reports whether a status is none, or one that is asked for again after a while.
func patient(status int) bool {
	return status < 200 || status > 499 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
}

// Whatever a server answers to a listing, there is a manifest or an error of a kind.
func FuzzListing(f *testing.F) {
	f.Add(200, `<ListBucketResult><Contents><Key>llama/a</Key><Size>1</Size><ETag>"d41d8cd98f00b204e9800998ecf8427e-2"</ETag>`+
		`<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm></Contents></ListBucketResult>`)
	f.Add(200, `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>llama/%2e%2e/a</Key><Size>-1</Size></Contents>`+
		`<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken></ListBucketResult>`)
	f.Add(301, `<Error><Code>PermanentRedirect</Code><Message>expecting 'eu-west-1'</Message></Error>`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if patient(status) || strings.Contains(body, "InternalError") || strings.Contains(body, "Timeout") || strings.Contains(body, "hrott") {
			return
		}
		m, err := said{status: status, header: http.Header{}, body: body}.source(t).Resolve(t.Context())
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
			return
		}
		require.NotEmpty(t, m.Files)
	})
}

// Whatever the headers of a HEAD say, there is a digest that can be made, none, or an error of
// a kind.
func FuzzDigest(f *testing.F) {
	f.Add("AQIDBAUGBwg=", "", "FULL_OBJECT", `"d41d8cd98f00b204e9800998ecf8427e"`, "", "AmazonS3", "8")
	f.Add("", "AQIDBA==-2", "COMPOSITE", `"d41d8cd98f00b204e9800998ecf8427e-2"`, "", "MinIO", "4")
	f.Add("", "", "", `"d41d8cd98f00b204e9800998ecf8427e-99999"`, "aws:kms", "MinIO", "-4")
	f.Fuzz(func(t *testing.T, nvme, sha, kind, etag, encryption, server, length string) {
		h := http.Header{}
		for key, value := range map[string]string{
			"X-Amz-Checksum-Crc64nvme": nvme, "X-Amz-Checksum-Sha256": sha, "X-Amz-Checksum-Type": kind, "Etag": etag,
			"X-Amz-Server-Side-Encryption": encryption, "Server": server, "Content-Length": length,
		} {
			if value != "" {
				h.Set(key, value)
			}
		}
		src := said{status: http.StatusOK, header: h}.source(t)
		d, err := src.(source.Digester).Digest(t.Context(), source.File{Path: "a", Size: 8, Version: etag})
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
		} else if d.Known() {
			require.NotNil(t, d.NewHash(8), "%s", d)
		}
	})
}
