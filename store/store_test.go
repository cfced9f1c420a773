package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/store"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
)

var errCanary = errors.New("canary")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory has the files of a test.
type memory map[string][]byte

func (m memory) Open(_ context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(m[f.Path][off : off+n])), nil
}

func (m memory) manifest(t *testing.T) *source.Manifest {
	t.Helper()
	var files []source.File
	for path, data := range m {
		files = append(files, source.File{Path: path, Size: int64(len(data)), Version: "1"})
	}
	man, err := source.NewManifest("mem://models/llama", "1", files)
	require.NoError(t, err)
	return man
}

func listen(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Listen(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client is one with the store's keys, unless others are given.
func client(t *testing.T, s *store.Store, keys ...string) *s3.Client {
	t.Helper()
	keys = append(keys, s.AccessKey, s.SecretKey)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(s.Endpoint.String()), UsePathStyle: true, RetryMaxAttempts: 1,
		HTTPClient:  &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider(keys[0], keys[1], ""),
	})
}

func serve(t *testing.T, files memory) (c *s3.Client, bucket, prefix string) {
	t.Helper()
	s := listen(t)
	uri := s.Serve(files.manifest(t), files)
	require.Equal(t, "s3", uri.Scheme)
	return client(t, s), uri.Host, uri.Path[1:] + "/"
}

func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

var model = memory{
	"config.json": []byte("{}"), "model-1.safetensors": []byte("0123456789"), "a b/ü+%.txt": []byte("name"),
	"a b/deep/er": {}, "a b.txt": []byte("x"),
}

func TestListing(t *testing.T) {
	t.Parallel()
	c, bucket, prefix := serve(t, model)
	for name, want := range map[string]struct {
		in       s3.ListObjectsV2Input
		keys     []string
		prefixes []string
	}{
		"all":             {s3.ListObjectsV2Input{}, []string{"a b.txt", "a b/deep/er", "a b/ü+%.txt", "config.json", "model-1.safetensors"}, nil},
		"all, one a page": {s3.ListObjectsV2Input{MaxKeys: aws.Int32(1)}, []string{"a b.txt", "a b/deep/er", "a b/ü+%.txt", "config.json", "model-1.safetensors"}, nil},
		"folder":          {s3.ListObjectsV2Input{Delimiter: aws.String("/")}, []string{"a b.txt", "config.json", "model-1.safetensors"}, []string{"a b/"}},
		"folder, paged":   {s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}, []string{"a b.txt", "config.json", "model-1.safetensors"}, []string{"a b/"}},
		"below":           {s3.ListObjectsV2Input{Prefix: aws.String("a b/"), Delimiter: aws.String("/")}, []string{"a b/ü+%.txt"}, []string{"a b/deep/"}},
		"from":            {s3.ListObjectsV2Input{StartAfter: aws.String("a b/ü+%.txt")}, []string{"config.json", "model-1.safetensors"}, nil},
		"encoded":         {s3.ListObjectsV2Input{Prefix: aws.String("a b/ü"), EncodingType: "url"}, []string{"a%20b/%C3%BC%2B%25.txt"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want.in.Bucket = &bucket
			want.in.Prefix = aws.String(prefix + aws.ToString(want.in.Prefix))
			if want.in.StartAfter != nil {
				want.in.StartAfter = aws.String(prefix + *want.in.StartAfter)
			}
			var keys, prefixes []string
			for p := s3.NewListObjectsV2Paginator(c, &want.in); p.HasMorePages(); {
				page, err := p.NextPage(t.Context())
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Contents)+len(page.CommonPrefixes), int(aws.ToInt32(page.MaxKeys)))
				for _, o := range page.Contents {
					require.NotEmpty(t, aws.ToString(o.ETag))
					require.NotNil(t, o.LastModified)
					keys = append(keys, (*o.Key)[len(prefix):])
				}
				for _, o := range page.CommonPrefixes {
					prefixes = append(prefixes, (*o.Prefix)[len(prefix):])
				}
			}
			require.Equal(t, want.keys, keys)
			require.Equal(t, want.prefixes, prefixes)
		})
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	c, bucket, prefix := serve(t, model)
	key := aws.String(prefix + "model-1.safetensors")
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: key})
	require.NoError(t, err)
	require.Equal(t, int64(10), *head.ContentLength)
	_, err = c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &bucket})
	require.NoError(t, err)
	for r, want := range map[string]struct{ body, part, code string }{
		"":              {"0123456789", "", ""},
		"bytes=0-0":     {"0", "bytes 0-0/10", ""},
		"bytes=3-5":     {"345", "bytes 3-5/10", ""},
		"bytes=7-":      {"789", "bytes 7-9/10", ""},
		"bytes=7-99":    {"789", "bytes 7-9/10", ""},
		"bytes=-3":      {"789", "bytes 7-9/10", ""},
		"bytes=-99":     {"0123456789", "bytes 0-9/10", ""},
		"bytes=5-3":     {"0123456789", "", ""},
		"bytes=0-1,3-4": {"0123456789", "", ""},
		"lines=1-2":     {"0123456789", "", ""},
		"bytes=10-":     {"", "", "InvalidRange"},
		"bytes=10-20":   {"", "", "InvalidRange"},
		"bytes=-0":      {"", "", "InvalidRange"},
	} {
		in := &s3.GetObjectInput{Bucket: &bucket, Key: key, IfMatch: head.ETag}
		if r != "" {
			in.Range = &r
		}
		got, refused := c.GetObject(t.Context(), in)
		require.Equal(t, want.code, code(refused), r)
		if want.code != "" {
			continue
		}
		var body []byte
		body, err = io.ReadAll(got.Body)
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		require.Equal(t, want.body, string(body), r)
		require.Equal(t, int64(len(want.body)), *got.ContentLength)
		require.Equal(t, want.part, aws.ToString(got.ContentRange))
		require.Equal(t, *head.ETag, *got.ETag)
	}
	odd, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: aws.String(prefix + "a b/ü+%.txt")})
	require.NoError(t, err)
	body, err := io.ReadAll(odd.Body)
	require.NoError(t, err)
	require.Equal(t, "name", string(body))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c, bucket, prefix := serve(t, model)
	get := func(bucket, key string, in s3.GetObjectInput) error {
		in.Bucket, in.Key = &bucket, &key
		_, err := c.GetObject(t.Context(), &in)
		return err
	}
	config := prefix + "config.json"
	for want, err := range map[string]error{
		"NoSuchKey":          get(bucket, prefix+"confg.json", s3.GetObjectInput{}),
		"NoSuchBucket":       get("other", config, s3.GetObjectInput{}),
		"PreconditionFailed": get(bucket, config, s3.GetObjectInput{IfMatch: aws.String(`"other"`)}),
		"NotImplemented":     get(bucket, config, s3.GetObjectInput{PartNumber: aws.Int32(1)}),
	} {
		require.Equal(t, want, code(err), "%v", err)
	}
	require.Equal(t, "NoSuchKey", code(get(bucket, "config.json", s3.GetObjectInput{})))
	_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: aws.String(prefix + "x")})
	require.Equal(t, "NotFound", code(err))
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &config, Body: bytes.NewReader(nil)})
	require.Equal(t, "NotImplemented", code(err))
	_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &config})
	require.Equal(t, "NotImplemented", code(err))
	_, err = c.ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: &bucket})
	require.Equal(t, "NotImplemented", code(err))
	_, err = c.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: &bucket})
	require.Equal(t, "NotImplemented", code(err))
}

// Who does not have the key of this store, such as another user of the machine or the engine
// of another model, reads and learns nothing.
func TestOnlyWithTheKey(t *testing.T) {
	t.Parallel()
	s, other := listen(t), listen(t)
	uri := s.Serve(model.manifest(t), model)
	require.NotEqual(t, s.AccessKey, other.AccessKey)
	require.NotEqual(t, s.SecretKey, other.SecretKey)
	require.GreaterOrEqual(t, len(s.AccessKey), 26)
	for name, c := range map[string]*s3.Client{
		"another's key": client(t, s, other.AccessKey, other.SecretKey),
		"a prefix":      client(t, s, s.AccessKey[:25], s.SecretKey),
		"the secret":    client(t, s, s.SecretKey, s.SecretKey),
	} {
		for _, key := range []string{"config.json", "no-such-file"} {
			_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &uri.Host, Key: aws.String(uri.Path[1:] + "/" + key)})
			require.Equal(t, "AccessDenied", code(err), name)
		}
		_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &uri.Host})
		require.Equal(t, "AccessDenied", code(err), name)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	for _, header := range []string{"", "AWS4-HMAC-SHA256 Credential=", "AWS4-HMAC-SHA256 Credential=/x", s.AccessKey, "Basic x"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint.String()+"/"+uri.Host+uri.Path+"/config.json", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Authorization", header)
		res, err := transport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusForbidden, res.StatusCode, header)
	}
}

// The URI is that of the revision, so that an engine finds what it kept of it and nothing else.
func TestURIs(t *testing.T) {
	t.Parallel()
	s := listen(t)
	man := model.manifest(t)
	first := s.Serve(man, model)
	require.Equal(t, first, listen(t).Serve(man, model))
	next := *man
	next.Revision = "2"
	require.NotEqual(t, first, s.Serve(&next, model))
	next.URI = "hf://org/a model?"
	require.Regexp(t, `^s3://spinup/a-model--[0-9a-f]{16}$`, s.Serve(&next, model).String())
}

// Before Serve there is nothing to read, and after Close nobody answers and nothing runs.
func TestLife(t *testing.T) {
	t.Parallel()
	s := listen(t)
	c := client(t, s)
	_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("spinup")})
	require.Equal(t, "NoSuchBucket", code(err))
	uri := s.Serve(model.manifest(t), endless{})
	key := aws.String(uri.Path[1:] + "/model-1.safetensors")
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &uri.Host, Key: key})
	require.NoError(t, err)
	var g errgroup.Group
	g.Go(func() error {
		_, cut := io.ReadAll(got.Body)
		return cut
	})
	require.NoError(t, s.Close())
	require.Error(t, g.Wait())
	require.NoError(t, got.Body.Close())
	_, err = c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &uri.Host, Key: key})
	require.ErrorContains(t, err, "refused")
}

// Close ends requests whose connection cannot tell that it is cut, as more of them is awaited.
func TestCloseEndsRequests(t *testing.T) {
	t.Parallel()
	s := listen(t)
	opened := make(chan struct{})
	uri := s.Serve(model.manifest(t), signalling{opened})
	body, unsent := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Endpoint.JoinPath(uri.Host, uri.Path, "model-1.safetensors").String(), body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.AccessKey+"/")
	var g errgroup.Group
	g.Go(func() error {
		transport := &http.Transport{DisableKeepAlives: true}
		res, err := transport.RoundTrip(req)
		if err == nil {
			_ = res.Body.Close()
		}
		return nil
	})
	<-opened
	require.NoError(t, s.Close())
	require.NoError(t, unsent.Close())
	require.NoError(t, g.Wait())
}

// signalling are endless files that tell when one is opened.
type signalling struct{ opened chan struct{} }

func (s signalling) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	close(s.opened)
	return endless{}.Open(ctx, f, off, n)
}

// A connection that the server accepted before Close and learns of after it is cut, too.
func TestCloseWhileAccepting(t *testing.T) {
	t.Parallel()
	s := listen(t)
	require.NoError(t, s.Close())
	ours, theirs := net.Pipe()
	s.Accepted(theirs)
	_, err := ours.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// endless are files of which no byte comes.
type endless struct{}

func (endless) Open(ctx context.Context, _ source.File, _, _ int64) (io.ReadCloser, error) {
	return io.NopCloser(waiting{ctx}), nil
}

type waiting struct{ ctx context.Context } //nolint:containedctx // it is the body of one request

func (w waiting) Read([]byte) (int, error) {
	<-w.ctx.Done()
	return 0, w.ctx.Err()
}

// What fails to open is an error of the service's; what fails under way is cut.
func TestFailingFiles(t *testing.T) {
	t.Parallel()
	s := listen(t)
	uri := s.Serve(model.manifest(t), failing{})
	c := client(t, s)
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &uri.Host, Key: aws.String(uri.Path[1:] + "/config.json")})
	require.Equal(t, "InternalError", code(err))
	require.NotContains(t, err.Error(), "canary")
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &uri.Host, Key: aws.String(uri.Path[1:] + "/model-1.safetensors")})
	require.NoError(t, err)
	body, err := io.ReadAll(got.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, "01", string(body))
}

type failing struct{}

func (failing) Open(_ context.Context, f source.File, _, _ int64) (io.ReadCloser, error) {
	if f.Path == "config.json" {
		return nil, errCanary
	}
	return io.NopCloser(io.MultiReader(bytes.NewReader([]byte("01")), broken{})), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errCanary }
