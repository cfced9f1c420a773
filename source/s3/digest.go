package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

const (
	// maxHeads bounds the HEAD requests at the same time.
	maxHeads = 32
	// headAbove is the size in bytes of objects that are asked for their digest in advance.
	// Smaller ones are mostly read whole, and then the answer tells it.
	headAbove = 8 << 20
)

// files makes files of what was listed, and returns the word of a mirror's mark. What is
// large and has a digest is asked for it, with one request.
func (b *bucket) files(ctx context.Context, objects []types.Object) (files []source.File, mark string, err error) {
	files = make([]source.File, len(objects))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxHeads)
	for i, o := range objects {
		key := aws.ToString(o.Key)
		files[i] = source.File{
			Path: strings.TrimPrefix(key, b.loc.under()), Size: aws.ToInt64(o.Size), Version: aws.ToString(o.ETag),
		}
		switch {
		case source.CheckPath(files[i].Path) != nil:
		case isMark(files[i]):
			g.Go(func() (err error) {
				mark, err = b.mark(ctx, &files[i])
				return err
			})
		case !ofParts(o) && mayHaveDigest(o) && files[i].Size <= headAbove:
			files[i].Digest = source.Digest{Algorithm: algorithmOf(o)}
		case ofParts(o), mayHaveDigest(o):
			g.Go(func() (err error) {
				files[i].Digest, err = b.digest(ctx, key, files[i], o)
				return err
			})
		}
	}
	return files, mark, g.Wait()
}

// digest asks for the checksum of an object.
func (b *bucket) digest(ctx context.Context, key string, f source.File, o types.Object) (d source.Digest, err error) {
	var head *s3.HeadObjectOutput
	if ofParts(o) {
		d, err = b.combined(ctx, key, f)
	} else if head, err = b.head(ctx, key, f.Version); err == nil {
		d = toldBy(head).digest()
	}
	switch status := statusOf(err); {
	case status == http.StatusNotFound, status == http.StatusPreconditionFailed, errors.Is(err, errChangedMeanwhile):
		return d, b.moving(key)
	case err != nil:
		return d, b.explain(ctx, reading(opResolve, b.loc, key), err)
	}
	return d, nil
}

// Digest implements source.Digester, with one request.
func (b *bucket) Digest(ctx context.Context, f source.File) (source.Digest, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return source.Digest{}, err
	}
	return b.digest(ctx, b.key(f), f, types.Object{})
}

func (b *bucket) head(ctx context.Context, key, version string) (*s3.HeadObjectOutput, error) {
	in := &s3.HeadObjectInput{Bucket: &b.loc.bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled, RequestPayer: b.payer}
	if version != "" {
		in.IfMatch = &version
	}
	return call(ctx, b, thrice, in, b.client.HeadObject)
}

func (b *bucket) moving(key string) error {
	return &lifecycle.Error{
		Op: opResolve, Kind: lifecycle.Unavailable, Target: b.loc.at(key), Hint: "try again when the upload is done",
		Err: errChangedMeanwhile,
	}
}

var md5ETag = regexp.MustCompile(`^"?([0-9a-f]{32})"?$`)

// mayHaveDigest reports whether a HEAD can tell a digest of the whole object.
func mayHaveDigest(o types.Object) bool {
	if len(o.ChecksumAlgorithm) > 0 && o.ChecksumType != types.ChecksumTypeComposite {
		return true
	}
	return md5ETag.MatchString(aws.ToString(o.ETag))
}

// algorithmOf returns the cheapest of those that the listing says are stored.
func algorithmOf(o types.Object) string {
	for _, algorithm := range preferred {
		if slices.ContainsFunc(o.ChecksumAlgorithm, func(a types.ChecksumAlgorithm) bool {
			return strings.EqualFold(string(a), algorithm)
		}) {
			return algorithm
		}
	}
	return "md5"
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
}

func toldBy(h *s3.HeadObjectOutput) told {
	return told{
		[]*string{h.ChecksumCRC64NVME, h.ChecksumCRC32C, h.ChecksumCRC32, h.ChecksumSHA256},
		h.ChecksumType == types.ChecksumTypeComposite, h.ETag, h.ServerSideEncryption, h.SSECustomerAlgorithm,
	}
}

func toldWith(o *s3.GetObjectOutput) told {
	return told{
		[]*string{o.ChecksumCRC64NVME, o.ChecksumCRC32C, o.ChecksumCRC32, o.ChecksumSHA256},
		o.ChecksumType == types.ChecksumTypeComposite, o.ETag, o.ServerSideEncryption, o.SSECustomerAlgorithm,
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
	// The ETag is no MD5 where a key of KMS or of the customer encrypts.
	if etag := md5ETag.FindStringSubmatch(aws.ToString(t.etag)); etag != nil && t.customerKey == nil &&
		(t.encryption == "" || t.encryption == types.ServerSideEncryptionAes256) {
		return source.Digest{Algorithm: "md5", Hex: etag[1]}
	}
	return source.Digest{}
}
