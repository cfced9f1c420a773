package s3

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/owed"
)

const opRead = "source.Read"

// Open implements source.Source: one GET with If-Match, not retried.
func (b *bucket) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	key := b.key(f)
	body, err := b.get(ctx, key, f, off, n)
	if b.maybeObject(f, key) && statusOf(err) == http.StatusNotFound {
		if whole, second := b.get(ctx, b.loc.Prefix, f, off, n); second == nil {
			b.single.Store(true)
			return whole, nil
		}
	}
	if err != nil {
		return nil, b.explain(ctx, reading(opRead, b.loc, key), err)
	}
	return body, nil
}

// key returns where f is, as the last Resolve saw it.
func (b *bucket) key(f source.File) string {
	if b.single.Load() && f.Path == b.loc.Base() {
		return b.loc.Prefix
	}
	return b.loc.Under() + f.Path
}

// maybeObject reports whether f may be the object that the URI names: a Source that has
// not resolved does not know yet.
func (b *bucket) maybeObject(f source.File, tried string) bool {
	return f.Path == b.loc.Base() && !b.loc.Folder && tried != b.loc.Prefix
}

func (b *bucket) get(ctx context.Context, key string, f source.File, off, n int64) (io.ReadCloser, error) {
	in := &s3.GetObjectInput{Bucket: &b.loc.Bucket, Key: &key, RequestPayer: b.payer}
	if f.Version != "" {
		in.IfMatch = &f.Version
	}
	get := b.client.GetObject
	if n < f.Size {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	} else {
		get = b.getWhole
	}
	out, err := call(ctx, b, once, in, get)
	if err != nil {
		return nil, err
	}
	if err := answers(in, out, off, n); err != nil {
		_ = out.Body.Close()
		return nil, err
	}
	body := owed.New(ctx, out.Body, n, func(err error) error { return b.explain(ctx, reading(opRead, b.loc, key), err) })
	if in.Range == nil {
		return &digested{body, toldWith(out).digest()}, nil
	}
	return body, nil
}

// getWhole asks for the checksum as well. It sets the header by hand: the client would hash
// what it reads, which download does.
func (b *bucket) getWhole(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return b.client.GetObject(ctx, in, append(opts, s3.WithAPIOptions(smithyhttp.AddHeaderValue("X-Amz-Checksum-Mode", "ENABLED")))...)
}

// answers checks that the response holds the bytes that were asked for.
func answers(in *s3.GetObjectInput, out *s3.GetObjectOutput, off, n int64) error {
	got, coding := aws.ToString(out.ContentRange), strings.ToLower(aws.ToString(out.ContentEncoding))
	switch {
	case (in.Range != nil || got != "") && !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)):
		return &wrongAnswer{fmt.Sprintf("asked for bytes %d-%d, the answer is %.60q", off, off+n-1, got)}
	case out.ContentLength != nil && *out.ContentLength != n:
		return &wrongAnswer{fmt.Sprintf("asked for %d bytes, the answer has %d", n, *out.ContentLength)}
	case out.ContentLength == nil && coding != "" && coding != "identity": // what is stored packed has a length
		return &wrongAnswer{fmt.Sprintf("the answer is compressed (%.20q), which was not asked for", coding)}
	}
	return nil
}

// Locate implements source.Locator.
func (b *bucket) Locate(f source.File) (*url.URL, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "s3", Host: b.loc.Bucket, Path: "/" + b.key(f)}, nil
}

// digested is a whole file with the digest that came with it, where there was one.
type digested struct {
	*owed.Body

	digest source.Digest
}

// Digest implements source.Digested.
func (d *digested) Digest() source.Digest { return d.digest }
