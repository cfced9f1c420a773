package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const opResolve = "source.Resolve"

// maxBlobs bounds a listing: no model has so many files, but a whole container may.
const maxBlobs = 100_000

// Resolve implements source.Source: it lists the folder, or finds the blob. The revision is
// a digest of the listing with its ETags. A listing tells the digests as well.
func (f *folder) Resolve(ctx context.Context) (*source.Manifest, error) {
	files, err := f.list(ctx)
	if err == nil && len(files) > 0 {
		f.single.Store(false)
	}
	if err == nil && len(files) == 0 && f.loc.prefix != "" && !f.loc.folder {
		files, err = f.one(ctx)
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, f.nothing(ctx)
	}
	return source.NewManifest(f.loc.canonical(), "", files)
}

// list returns the files of the folder, without the markers of folders.
func (f *folder) list(ctx context.Context) ([]source.File, error) {
	under := f.loc.under()
	pages := f.container.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
		Prefix: &under, Include: container.ListBlobsInclude{Metadata: true},
	})
	var files []source.File
	seen := map[string]bool{}
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, f.listError(ctx, err)
		}
		if page.Segment != nil {
			for _, item := range page.Segment.BlobItems {
				if file, ok := fileOf(under, item); ok {
					files = append(files, file)
				}
			}
		}
		if len(files) > maxBlobs {
			return nil, &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Invalid, Target: f.loc.String(),
				Err: fmt.Errorf("there are more than %d blobs", maxBlobs), Hint: "give the folder of one model",
			}
		}
		next := deref(page.NextMarker)
		if next != "" && seen[next] {
			return nil, f.explain(ctx, listing(f.loc), &wrongAnswer{"the listing does not go on"})
		}
		seen[next] = true
	}
	return files, nil
}

// listError says, where there is no such container, which are near.
func (f *folder) listError(ctx context.Context, err error) error {
	err = f.explain(ctx, listing(f.loc), err)
	if e, ok := errors.AsType[*lifecycle.Error](err); ok && e.Kind == lifecycle.NotFound {
		if near := f.otherContainers(ctx); near != "" {
			e.Hint = near + "; " + e.Hint
		}
	}
	return err
}

// fileOf returns a blob as a file; false for what stands for a folder.
func fileOf(under string, item *container.BlobItem) (source.File, bool) {
	name, p := deref(item.Name), item.Properties
	if p == nil || deref(item.Deleted) {
		return source.File{}, false
	}
	size := deref(p.ContentLength)
	if size == 0 && (strings.HasSuffix(name, "/") || deref(p.ResourceType) == "directory" || isFolderMark(item.Metadata)) {
		return source.File{}, false
	}
	return source.File{
		Path: strings.TrimPrefix(name, under), Size: size, Version: tag(p.ETag), Digest: digestOf(p.ContentMD5),
	}, true
}

// isFolderMark knows the empty blobs by which Hadoop and Data Lake Storage tell folders.
func isFolderMark(metadata map[string]*string) bool {
	for key, value := range metadata {
		if strings.EqualFold(key, "hdi_isfolder") && strings.EqualFold(deref(value), "true") {
			return true
		}
	}
	return false
}

// one makes a manifest of the one blob that the URI names; there may be none.
func (f *folder) one(ctx context.Context) ([]source.File, error) {
	p, err := f.blob(f.loc.prefix).GetProperties(ctx, nil)
	if statusOf(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, f.explain(ctx, reading(opResolve, f.loc, f.loc.prefix), err)
	}
	if isFolderMark(p.Metadata) {
		return nil, nil
	}
	f.single.Store(true)
	return []source.File{{
		Path: f.loc.base(), Size: deref(p.ContentLength), Version: tag(p.ETag), Digest: digestOf(p.ContentMD5),
	}}, nil
}

// tag returns an ETag as headers have it: listings leave out its quotes.
func tag(t *azcore.ETag) string {
	if t == nil || *t == "" {
		return ""
	}
	return `"` + strings.Trim(string(*t), `"`) + `"`
}

func digestOf(md5 []byte) source.Digest {
	if len(md5) != 16 {
		return source.Digest{}
	}
	return source.Digest{Algorithm: "md5", Hex: hex.EncodeToString(md5)}
}

func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
