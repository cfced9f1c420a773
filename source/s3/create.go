package s3

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/source"
)

const opCreate = "source.Create"

var _ source.Creator = (*bucket)(nil)

// Create implements source.Creator: one PUT with If-None-Match, of at most 5 GB. A service
// that does not know this condition replaces what is there. A SHA-256 is checked by the
// service, and stored.
func (b *bucket) Create(ctx context.Context, f source.File, content io.ReadSeeker) error {
	if err := source.CheckPath(f.Path); err != nil {
		return err
	}
	key := b.loc.Under() + f.Path
	in := &s3.PutObjectInput{
		Bucket: &b.loc.Bucket, Key: &key, Body: content, ContentLength: &f.Size, IfNoneMatch: aws.String("*"), RequestPayer: b.payer,
	}
	if sum, err := hex.DecodeString(f.Digest.Hex); err == nil && f.Digest.Algorithm == "sha256" {
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(sum))
	}
	put := func(ctx context.Context, in *s3.PutObjectInput, o ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
		if _, err := content.Seek(0, io.SeekStart); err != nil { // after new credentials or another region it is sent once more
			return nil, err
		}
		return b.client.PutObject(ctx, in, o...)
	}
	_, err := call(ctx, b, thrice, in, put)
	switch statusOf(err) {
	case http.StatusPreconditionFailed, http.StatusConflict: // it is there, or another one brings it just now
		return fmt.Errorf("%s %s: %w", opCreate, b.loc.At(key), fs.ErrExist)
	}
	if err != nil {
		return b.explain(ctx, creating(b.loc, key), err)
	}
	return nil
}

func creating(l location, key string) request {
	return request{opCreate, l.At(key), "s3:PutObject", "arn:aws:s3:::" + l.Bucket + "/" + key}
}
