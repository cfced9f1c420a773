package azure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/owed"
)

const opRead = "source.Read"

// Open implements source.Source: one GET with If-Match, not retried.
func (f *folder) Open(ctx context.Context, file source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(file.Path); err != nil {
		return nil, err
	}
	n, err := file.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	name := f.name(file)
	got, err := f.get(ctx, name, file, off, n)
	if f.maybeBlob(file, name) && statusOf(err) == http.StatusNotFound {
		if whole, again := f.get(ctx, f.loc.prefix, file, off, n); again == nil {
			f.single.Store(true)
			return f.body(ctx, f.loc.prefix, whole, n), nil
		}
	}
	if err != nil {
		return nil, f.explain(ctx, reading(opRead, f.loc, name), err)
	}
	return f.body(ctx, name, got, n), nil
}

func (f *folder) body(ctx context.Context, name string, from io.ReadCloser, n int64) io.ReadCloser {
	return owed.New(ctx, from, n, func(err error) error { return f.explain(ctx, reading(opRead, f.loc, name), err) })
}

// name returns the blob of file, as the last Resolve saw it.
func (f *folder) name(file source.File) string {
	if f.single.Load() && file.Path == f.loc.base() {
		return f.loc.prefix
	}
	return f.loc.under() + file.Path
}

// maybeBlob reports whether file may be the blob that the URI names: a Source that has not
// resolved does not know yet.
func (f *folder) maybeBlob(file source.File, tried string) bool {
	return file.Path == f.loc.base() && !f.loc.folder && tried != f.loc.prefix
}

func (f *folder) get(ctx context.Context, name string, file source.File, off, n int64) (io.ReadCloser, error) {
	o := &blob.DownloadStreamOptions{}
	if n < file.Size {
		o.Range = blob.HTTPRange{Offset: off, Count: n}
	}
	if file.Version != "" {
		version := azcore.ETag(file.Version)
		o.AccessConditions = &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &version}}
	}
	once := policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	res, err := f.blob(name).DownloadStream(once, o)
	if statusOf(err) == http.StatusPreconditionFailed {
		// Some servers say so of a blob that is gone, too.
		if _, gone := f.blob(name).GetProperties(ctx, nil); statusOf(gone) == http.StatusNotFound {
			err = gone
		}
	}
	if err != nil {
		return nil, err
	}
	if err := answers(res, file, off, n); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	return res.Body, nil
}

// answers checks that the response holds the bytes that were asked for.
func answers(res blob.DownloadStreamResponse, file source.File, off, n int64) error {
	got, coding := deref(res.ContentRange), strings.ToLower(deref(res.ContentEncoding))
	length, told := deref(res.ContentLength), res.ContentLength != nil && *res.ContentLength >= 0
	switch {
	case (n < file.Size || got != "") && !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)):
		return &wrongAnswer{fmt.Sprintf("asked for bytes %d-%d, the answer is %.60q", off, off+n-1, got)}
	case told && length != n:
		return &wrongAnswer{fmt.Sprintf("asked for %d bytes, the answer has %d", n, length)}
	case !told && coding != "" && coding != "identity": // what is stored packed has a length
		return &wrongAnswer{fmt.Sprintf("the answer is compressed (%.20q), which was not asked for", coding)}
	}
	return nil
}

// Locate implements source.Locator, in the form that the Run:ai streamer reads: the account
// is in its AZURE_STORAGE_ACCOUNT_NAME.
func (f *folder) Locate(file source.File) (*url.URL, error) {
	if err := source.CheckPath(file.Path); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "az", Host: f.loc.container, Path: "/" + f.name(file)}, nil
}
