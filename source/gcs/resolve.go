package gcs

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"google.golang.org/api/iterator"
)

const opResolve = "source.Resolve"

// maxObjects bounds a listing: no model has so many files, but a whole bucket may.
const maxObjects = 100_000

// Resolve implements source.Source: it lists the folder, or finds the object. The revision
// is a digest of the listing with its generations. A listing tells the digests as well.
func (b *bucket) Resolve(ctx context.Context) (*source.Manifest, error) {
	files, err := b.list(ctx)
	if err == nil && len(files) > 0 {
		b.single.Store(false)
	}
	if err == nil && len(files) == 0 && b.loc.Prefix != "" && !b.loc.Folder {
		files, err = b.object(ctx)
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, b.nothing(ctx)
	}
	return source.NewManifest(b.loc.Canonical(), "", files)
}

// list returns the files of the folder, without the markers of folders.
func (b *bucket) list(ctx context.Context) ([]source.File, error) {
	q := &storage.Query{Prefix: b.loc.Under(), Projection: storage.ProjectionNoACL}
	if err := q.SetAttrSelection([]string{"Name", "Size", "Generation", "CRC32C", "MD5"}); err != nil {
		return nil, b.explain(ctx, listing(b.loc), err, nil)
	}
	var x exchange
	var files []source.File
	for it := b.lists.Objects(x.in(ctx), q); ; {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return files, nil
		}
		if err != nil {
			return nil, b.listError(ctx, err, &x)
		}
		if marker := strings.HasSuffix(o.Name, "/") && o.Size == 0; !marker {
			files = append(files, fileOf(strings.TrimPrefix(o.Name, b.loc.Under()), o))
		}
		if len(files) > maxObjects {
			return nil, &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Invalid, Target: b.loc.String(),
				Err: fmt.Errorf("there are more than %d objects", maxObjects), Hint: "give the folder of one model",
			}
		}
	}
}

// listError says, where there is no such bucket, which are near.
func (b *bucket) listError(ctx context.Context, err error, x *exchange) error {
	err = b.explain(ctx, listing(b.loc), err, x)
	if e, ok := errors.AsType[*lifecycle.Error](err); ok && e.Kind == lifecycle.NotFound {
		if near := b.otherBuckets(ctx); near != "" {
			e.Hint = near + "; " + e.Hint
		}
	}
	return err
}

// object makes a manifest of the one object that the URI names; there may be none.
func (b *bucket) object(ctx context.Context) ([]source.File, error) {
	var x exchange
	o, err := b.lists.Object(b.loc.Prefix).Attrs(x.in(ctx))
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, b.explain(ctx, reading(opResolve, b.loc, b.loc.Prefix), err, &x)
	}
	b.single.Store(true)
	return []source.File{fileOf(b.loc.Base(), o)}, nil
}

func fileOf(path string, o *storage.ObjectAttrs) source.File {
	return source.File{Path: path, Size: o.Size, Version: strconv.FormatInt(o.Generation, 10), Digest: digestOf(o)}
}

// digestOf returns the stored checksum. The SDK gives 0 for a CRC32C that is not there, as
// for objects with a key of the customer; then an MD5 may be, and else only the size tells.
func digestOf(o *storage.ObjectAttrs) source.Digest {
	switch {
	case o.CRC32C != 0 || o.Size == 0:
		return source.Digest{Algorithm: "crc32c", Hex: hex.EncodeToString(binary.BigEndian.AppendUint32(nil, o.CRC32C))}
	case len(o.MD5) == 16:
		return source.Digest{Algorithm: "md5", Hex: hex.EncodeToString(o.MD5)}
	default:
		return source.Digest{}
	}
}
