package s3

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// nothing is the error for a folder without files. It names what is nearest.
func (b *bucket) nothing(ctx context.Context) error {
	e := &lifecycle.Error{Op: opResolve, Kind: lifecycle.NotFound, Target: b.loc.String(), Hint: form}
	e.Err = errors.New("no object lies under that prefix")
	if b.loc.Prefix == "" {
		e.Err = errors.New("the bucket is empty")
	}
	dir, hint := nearest.Above(b.loc.Prefix, func(dir string) []string { return b.children(ctx, dir) })
	if hint != "" {
		e.Hint = "in " + b.loc.At(dir) + " " + hint + "; " + form
	}
	return e
}

// children returns the names in a folder, as many as one page has; none on any error.
func (b *bucket) children(ctx context.Context, dir string) []string {
	prefix := location{Prefix: dir}.Under()
	page, err := call(ctx, b, once, &s3.ListObjectsV2Input{
		Bucket: &b.loc.Bucket, Prefix: &prefix, Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl, RequestPayer: b.payer,
	}, b.client.ListObjectsV2)
	if err != nil {
		return nil
	}
	var names []string
	add := func(key *string) {
		name := strings.TrimPrefix(decoded(aws.ToString(key), page.EncodingType), prefix)
		if name = strings.TrimSuffix(name, "/"); name != "" {
			names = append(names, name)
		}
	}
	for _, p := range page.CommonPrefixes {
		add(p.Prefix)
	}
	for _, o := range page.Contents {
		add(o.Key)
	}
	return names
}

// otherBuckets words which buckets are near, where their owner may list them.
func (b *bucket) otherBuckets(ctx context.Context) string {
	if b.loc.Anonymous {
		return ""
	}
	out, err := call(ctx, b, once, &s3.ListBucketsInput{}, b.client.ListBuckets)
	if err != nil {
		return ""
	}
	var names []string
	for _, bucket := range out.Buckets {
		names = append(names, aws.ToString(bucket.Name))
	}
	return nearest.Hint(b.loc.Bucket, names)
}
