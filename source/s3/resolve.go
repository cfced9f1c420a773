package s3

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const opResolve = "source.Resolve"

// maxObjects bounds a listing: no model has so many files, but a whole bucket may.
const maxObjects = 100_000

// Resolve implements source.Source: it lists the folder, or finds the object. The revision
// is a digest of the listing with its ETags, after the commit that a mirror's mark tells.
func (b *bucket) Resolve(ctx context.Context) (*source.Manifest, error) {
	objects, err := b.list(ctx)
	if err != nil {
		return nil, err
	}
	var files []source.File
	var mark string
	switch {
	case len(objects) > 0:
		b.single.Store(false)
		files, mark, err = b.files(ctx, objects)
	case b.loc.Prefix != "" && !b.loc.Folder:
		files, err = b.object(ctx)
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, b.nothing(ctx)
	}
	m, err := source.NewManifest(b.loc.Canonical(), "", files)
	if err != nil {
		return nil, err
	}
	return marked(m, mark), nil
}

// list returns the objects of the folder, without the markers of folders.
func (b *bucket) list(ctx context.Context) ([]types.Object, error) {
	in := &s3.ListObjectsV2Input{
		Bucket: &b.loc.Bucket, Prefix: aws.String(b.loc.Under()), EncodingType: types.EncodingTypeUrl, RequestPayer: b.payer,
	}
	var all []types.Object
	for {
		page, err := call(ctx, b, thrice, in, b.client.ListObjectsV2)
		if err != nil {
			return nil, b.listError(ctx, err)
		}
		for _, o := range page.Contents {
			key := decoded(aws.ToString(o.Key), page.EncodingType)
			if marker := strings.HasSuffix(key, "/") && aws.ToInt64(o.Size) == 0; !marker {
				o.Key = &key
				all = append(all, o)
			}
		}
		if len(all) > maxObjects {
			return nil, &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Invalid, Target: b.loc.String(),
				Err: fmt.Errorf("there are more than %d objects", maxObjects), Hint: "give the folder of one model",
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return all, nil
		}
		if aws.ToString(page.NextContinuationToken) == aws.ToString(in.ContinuationToken) {
			return nil, b.explain(ctx, listing(b.loc), errors.New("the listing does not go on"))
		}
		in.ContinuationToken = page.NextContinuationToken
	}
}

// listError says, where there is no such bucket, which are near.
func (b *bucket) listError(ctx context.Context, err error) error {
	err = b.explain(ctx, listing(b.loc), err)
	if e, ok := errors.AsType[*lifecycle.Error](err); ok && e.Kind == lifecycle.NotFound {
		if near := b.otherBuckets(ctx); near != "" {
			e.Hint = near + "; " + e.Hint
		}
	}
	return err
}

// decoded undoes the encoding of keys, which XML could not hold otherwise.
func decoded(key string, encoding types.EncodingType) string {
	if encoding != types.EncodingTypeUrl {
		return key
	}
	if plain, err := url.QueryUnescape(key); err == nil {
		return plain
	}
	return key
}

// object makes a manifest of the one object that the URI names; there may be none.
func (b *bucket) object(ctx context.Context) ([]source.File, error) {
	head, err := b.head(ctx, b.loc.Prefix, "", nil)
	if statusOf(err) == 404 {
		return nil, nil
	}
	if err != nil {
		return nil, b.explain(ctx, reading(opResolve, b.loc, b.loc.Prefix), err)
	}
	b.single.Store(true)
	t := toldBy(head)
	f := source.File{Path: b.loc.Base(), Size: aws.ToInt64(head.ContentLength), Version: aws.ToString(head.ETag), Digest: t.digest()}
	if d, n := t.parts(); n > 0 && !f.Digest.Known() {
		f.Digest.Algorithm = d.Algorithm
	}
	return []source.File{f}, nil
}
