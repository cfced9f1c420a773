package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/source"
)

// maxParts is how many an upload to S3 can have.
const maxParts = 10_000

// ofParts returns the digest of an upload in parts: the checksum of the whole, where those of
// its parts combine to it, else that of the digests of its parts.
func (b *bucket) ofParts(ctx context.Context, key string, f source.File, t told) (source.Digest, error) {
	d, n := t.parts()
	if n == 0 {
		return source.Digest{}, nil
	}
	if strings.HasPrefix(d.Algorithm, "crc32") {
		if whole, err := b.combined(ctx, key, f); err != nil || whole.Known() {
			return whole, err
		}
	}
	size, err := b.partSize(ctx, key, f, n)
	if err != nil || size == 0 {
		return source.Digest{}, err
	}
	d.Algorithm = source.Pieces(d.Algorithm, size)
	return d, nil
}

// parts returns the digest of the digests of n parts, or n = 0. An ETag of this form is
// believed to be one of those whose servers are known to make it so.
func (t told) parts() (d source.Digest, n int64) {
	for i, algorithm := range preferred {
		text, count, ok := strings.Cut(aws.ToString(t.sums[i]), "-")
		sum, err := base64.StdEncoding.DecodeString(text)
		if parts, convErr := strconv.ParseInt(count, 10, 32); ok && err == nil && convErr == nil && parts > 0 {
			return source.Digest{Algorithm: algorithm, Hex: hex.EncodeToString(sum)}, parts
		}
	}
	etag := md5Parts.FindStringSubmatch(aws.ToString(t.etag))
	if etag == nil || !t.plain() || !slices.Contains([]string{"AmazonS3", "MinIO", "VERSITYGW"}, t.server) {
		return source.Digest{}, 0
	}
	n, _ = strconv.ParseInt(etag[2], 10, 32) // five digits at most
	return source.Digest{Algorithm: "md5", Hex: etag[1]}, n
}

// partSize returns the size of the n parts of an object, but for the last; 0 where they have
// none in common, or nobody tells it.
func (b *bucket) partSize(ctx context.Context, key string, f source.File, n int64) (int64, error) {
	length := func(part int64) (int64, error) {
		head, err := b.head(ctx, key, f.Version, aws.Int32(int32(part))) //nolint:gosec // parts are few
		switch {
		case untold(err):
			return 0, nil
		case err != nil:
			return 0, err
		}
		return aws.ToInt64(head.ContentLength), nil
	}
	size, err := length(1)
	if err != nil || size <= 0 || (n-1)*size >= f.Size || n*size < f.Size {
		return 0, err
	}
	if last, err := length(n); err != nil || last != f.Size-(n-1)*size {
		return 0, err
	}
	return size, nil
}

// untold reports whether a service does not know the request, or does not allow it.
func untold(err error) bool {
	switch status := statusOf(err); status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusTooManyRequests:
		return false
	case http.StatusNotImplemented:
		return true
	default:
		return status >= 400 && status < 500
	}
}

// combined returns the checksum of the whole object, made of those of its parts, as far as
// the service tells them all and they can be combined: CRC32 and CRC32C can.
func (b *bucket) combined(ctx context.Context, key string, f source.File) (source.Digest, error) {
	in := &s3.GetObjectAttributesInput{
		Bucket: &b.loc.Bucket, Key: &key, RequestPayer: b.payer,
		ObjectAttributes: []types.ObjectAttributes{
			types.ObjectAttributesEtag, types.ObjectAttributesObjectSize, types.ObjectAttributesObjectParts,
		},
	}
	var parts []types.ObjectPart
	for range maxParts { // a page has at least one
		out, err := call(ctx, b, thrice, in, b.client.GetObjectAttributes)
		switch {
		case untold(err):
			return source.Digest{}, nil
		case err != nil:
			return source.Digest{}, err
		case strings.Trim(aws.ToString(out.ETag), `"`) != strings.Trim(f.Version, `"`): // there is no If-Match
			return source.Digest{}, &smithy.GenericAPIError{Code: "PreconditionFailed", Message: "the object has another ETag now"}
		}
		if out.ObjectParts == nil {
			return source.Digest{}, nil
		}
		parts = append(parts, out.ObjectParts.Parts...)
		next := aws.ToString(out.ObjectParts.NextPartNumberMarker)
		if !aws.ToBool(out.ObjectParts.IsTruncated) || next == "" || next == aws.ToString(in.PartNumberMarker) {
			return combine(parts, f.Size), nil
		}
		in.PartNumberMarker = &next
	}
	return source.Digest{}, nil
}

// combine returns the checksum of size bytes that are all in parts, or no digest.
func combine(parts []types.ObjectPart, size int64) source.Digest {
	for _, c := range []struct {
		algorithm string
		poly      uint32
		of        func(types.ObjectPart) *string
	}{
		{"crc32c", crc32.Castagnoli, func(p types.ObjectPart) *string { return p.ChecksumCRC32C }},
		{"crc32", crc32.IEEE, func(p types.ObjectPart) *string { return p.ChecksumCRC32 }},
	} {
		if sum, ok := fold(parts, size, c.poly, c.of); ok {
			return source.Digest{Algorithm: c.algorithm, Hex: hex.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))}
		}
	}
	return source.Digest{}
}

func fold(parts []types.ObjectPart, size int64, poly uint32, of func(types.ObjectPart) *string) (sum uint32, ok bool) {
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(aws.ToString(of(p)))
		n := aws.ToInt64(p.Size)
		if err != nil || len(raw) != 4 || n < 0 {
			return 0, false
		}
		sum = times(power(n, poly), sum, poly) ^ binary.BigEndian.Uint32(raw)
		size -= n
	}
	return sum, size == 0 && len(parts) > 0
}

// times multiplies two polynomials modulo poly; the highest bit is that of x to the 0.
func times(a, b, poly uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 == 1 {
			product ^= b
		}
		odd := b & 1
		b >>= 1
		if odd == 1 {
			b ^= poly
		}
	}
	return product
}

// power returns x to the 8n modulo poly: what n more bytes do to a checksum before them.
func power(n int64, poly uint32) uint32 {
	result, base := uint32(1)<<31, uint32(1)<<23
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = times(base, result, poly)
		}
		base = times(base, base, poly)
	}
	return result
}
