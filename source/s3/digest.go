package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spinup-llm/spinup/source"
)

// files makes files of what was listed, and returns the word of a mirror's mark. No request is
// made for a digest before the bytes are: the answer that brings a whole file tells it, and of a
// larger one download asks while it comes.
func (b *bucket) files(ctx context.Context, objects []types.Object) (files []source.File, mark string, err error) {
	files = make([]source.File, len(objects))
	for i, o := range objects {
		files[i] = source.File{
			Path: strings.TrimPrefix(aws.ToString(o.Key), b.loc.Under()), Size: aws.ToInt64(o.Size), Version: aws.ToString(o.ETag),
		}
		switch f := &files[i]; {
		case source.CheckPath(f.Path) != nil:
		case isMark(*f):
			if mark, err = b.mark(ctx, f); err != nil {
				return nil, "", err
			}
		case mayHaveDigest(o):
			f.Digest.Algorithm = likely(o.ChecksumAlgorithm)
		}
	}
	return files, mark, nil
}

// Digest implements source.Digester: with one request, and some more for an upload in parts
// whose checksum is one of its parts.
func (b *bucket) Digest(ctx context.Context, f source.File) (source.Digest, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return source.Digest{}, err
	}
	key := b.key(f)
	d, err := b.digest(ctx, key, f)
	if err != nil {
		return source.Digest{}, b.explain(ctx, reading(opRead, b.loc, key), err)
	}
	return d, nil
}

func (b *bucket) digest(ctx context.Context, key string, f source.File) (source.Digest, error) {
	head, err := b.head(ctx, key, f.Version, nil)
	if err != nil {
		return source.Digest{}, err
	}
	t := toldBy(head)
	if d := t.digest(); d.Known() {
		return d, nil
	}
	return b.ofParts(ctx, key, f, t)
}

// head asks about an object, or one of its parts.
func (b *bucket) head(ctx context.Context, key, version string, part *int32) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{
		Bucket: &b.loc.Bucket, Key: &key, PartNumber: part, ChecksumMode: types.ChecksumModeEnabled, RequestPayer: b.payer,
	}
	if version != "" {
		in.IfMatch = &version
	}
	return call(ctx, b, thrice, in, b.client.HeadObject)
}

var (
	md5ETag  = regexp.MustCompile(`^"?([0-9a-f]{32})"?$`)
	md5Parts = regexp.MustCompile(`^"?([0-9a-f]{32})-([1-9][0-9]{0,4})"?$`)
)

// mayHaveDigest reports whether a HEAD can tell a digest.
func mayHaveDigest(o types.Object) bool {
	etag := aws.ToString(o.ETag)
	return len(o.ChecksumAlgorithm) > 0 || md5ETag.MatchString(etag) || md5Parts.MatchString(etag)
}

// likely returns the cheapest of the algorithms that the listing says are stored. Not all
// services say it, and those that do not are taken for what uploads have by default.
func likely(listed []types.ChecksumAlgorithm) string {
	for _, algorithm := range preferred {
		if slices.ContainsFunc(listed, func(a types.ChecksumAlgorithm) bool { return strings.EqualFold(string(a), algorithm) }) {
			return algorithm
		}
	}
	return preferred[0]
}

// preferred are the checksums that we know, the cheapest first.
var preferred = []string{"crc64nvme", "crc32c", "crc32", "sha256"}

// told is what an answer's headers say about the bytes of an object.
type told struct {
	sums        []*string // base64, as preferred
	composite   bool      // of parts
	etag        *string
	encryption  types.ServerSideEncryption
	customerKey *string
	server      string // of the answer to a HEAD
}

func toldBy(h *s3.HeadObjectOutput) told {
	t := told{
		[]*string{h.ChecksumCRC64NVME, h.ChecksumCRC32C, h.ChecksumCRC32, h.ChecksumSHA256},
		h.ChecksumType == types.ChecksumTypeComposite, h.ETag, h.ServerSideEncryption, h.SSECustomerAlgorithm, "",
	}
	if r, ok := middleware.GetRawResponse(h.ResultMetadata).(*smithyhttp.Response); ok {
		t.server = r.Header.Get("Server")
	}
	return t
}

func toldWith(o *s3.GetObjectOutput) told {
	return told{
		[]*string{o.ChecksumCRC64NVME, o.ChecksumCRC32C, o.ChecksumCRC32, o.ChecksumSHA256},
		o.ChecksumType == types.ChecksumTypeComposite, o.ETag, o.ServerSideEncryption, o.SSECustomerAlgorithm, "",
	}
}

// digest returns the stored checksum of the whole object.
func (t told) digest() source.Digest {
	for i, algorithm := range preferred {
		sum, err := base64.StdEncoding.DecodeString(aws.ToString(t.sums[i])) // "…-8" of parts does not decode
		if err == nil && len(sum) > 0 && !t.composite {
			return source.Digest{Algorithm: algorithm, Hex: hex.EncodeToString(sum)}
		}
	}
	if etag := md5ETag.FindStringSubmatch(aws.ToString(t.etag)); etag != nil && t.plain() {
		return source.Digest{Algorithm: "md5", Hex: etag[1]}
	}
	return source.Digest{}
}

// plain reports whether the ETag is made of the bytes: it is not where a key of KMS or of the
// customer encrypts.
func (t told) plain() bool {
	return t.customerKey == nil && (t.encryption == "" || t.encryption == types.ServerSideEncryptionAes256)
}
