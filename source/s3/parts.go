package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/source"
)

// ofParts reports whether the stored checksum is one of the checksums of parts.
func ofParts(o types.Object) bool {
	return len(o.ChecksumAlgorithm) > 0 && o.ChecksumType == types.ChecksumTypeComposite
}

// combined returns the checksum of the whole object, made of those of its parts, as far as
// the service tells them all and they can be combined: CRC32 and CRC32C can. A service that
// does not know the request, or does not allow it, leaves the file without a digest.
func (b *bucket) combined(ctx context.Context, key string, f source.File) (source.Digest, error) {
	in := &s3.GetObjectAttributesInput{
		Bucket: &b.loc.bucket, Key: &key, RequestPayer: b.payer,
		ObjectAttributes: []types.ObjectAttributes{
			types.ObjectAttributesEtag, types.ObjectAttributesObjectSize, types.ObjectAttributesObjectParts,
		},
	}
	var parts []types.ObjectPart
	for {
		out, err := call(ctx, b, thrice, in, b.client.GetObjectAttributes)
		switch status := statusOf(err); {
		case status >= 400 && status < 500 && status != http.StatusNotFound && status != http.StatusTooManyRequests, status == http.StatusNotImplemented:
			return source.Digest{}, nil
		case err != nil:
			return source.Digest{}, err
		}
		if strings.Trim(aws.ToString(out.ETag), `"`) != strings.Trim(f.Version, `"`) {
			return source.Digest{}, errChangedMeanwhile
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
