package gcs

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
	"google.golang.org/api/iterator"
)

// maxNear bounds how many names are compared.
const maxNear = 1000

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

// children returns the names in a folder, up to the first error.
func (b *bucket) children(ctx context.Context, dir string) (names []string) {
	var x exchange
	prefix := location{Prefix: dir}.Under()
	it := b.reads.Objects(x.in(ctx), &storage.Query{Prefix: prefix, Delimiter: "/", Projection: storage.ProjectionNoACL})
	for len(names) < maxNear {
		o, err := it.Next()
		if err != nil {
			break
		}
		if name := strings.Trim(strings.TrimPrefix(o.Name+o.Prefix, prefix), "/"); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// otherBuckets words which buckets are near, where a project is known and its owner may
// list them.
func (b *bucket) otherBuckets(ctx context.Context) string {
	project := b.set.env("GOOGLE_CLOUD_PROJECT")
	if f := b.creds.seen(); f != nil {
		project = cmp.Or(project, f.project)
	}
	if b.loc.Anonymous || project == "" {
		return ""
	}
	var names []string
	it := b.client.Buckets(ctx, project)
	for len(names) < maxNear {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return ""
		}
		names = append(names, o.Name)
	}
	return nearest.Hint(b.loc.Bucket, names)
}
