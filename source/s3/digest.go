package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// maxHeads bounds the HEAD requests at the same time.
const maxHeads = 32

// files makes files of what was listed, and returns the word of a mirror's mark. What has
// a digest is asked for it, with one request.
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
		d = digestOf(head)
	}
	switch status := statusOf(err); {
	case status == http.StatusNotFound, status == http.StatusPreconditionFailed, errors.Is(err, errChangedMeanwhile):
		return d, b.moving(key)
	case err != nil:
		return d, b.explain(ctx, reading(opResolve, b.loc, key), err)
	}
	return d, nil
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

// digestOf returns the stored checksum of the whole object, the cheapest first.
func digestOf(h *s3.HeadObjectOutput) source.Digest {
	if h.ChecksumType != types.ChecksumTypeComposite {
		for _, c := range []struct {
			algorithm string
			base64    *string
		}{
			{"crc64nvme", h.ChecksumCRC64NVME},
			{"crc32c", h.ChecksumCRC32C},
			{"crc32", h.ChecksumCRC32},
			{"sha256", h.ChecksumSHA256},
		} {
			sum, err := base64.StdEncoding.DecodeString(aws.ToString(c.base64)) // "…-8" of parts does not decode
			if err == nil && len(sum) > 0 {
				return source.Digest{Algorithm: c.algorithm, Hex: hex.EncodeToString(sum)}
			}
		}
	}
	// The ETag is no MD5 where a key of KMS or of the customer encrypts.
	if etag := md5ETag.FindStringSubmatch(aws.ToString(h.ETag)); etag != nil && h.SSECustomerAlgorithm == nil &&
		(h.ServerSideEncryption == "" || h.ServerSideEncryption == types.ServerSideEncryptionAes256) {
		return source.Digest{Algorithm: "md5", Hex: etag[1]}
	}
	return source.Digest{}
}
