package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/owed"
)

const opRead = "source.Read"

// Open implements source.Source: one GET of the layer's blob, not retried. A layer never
// changes: one that was replaced is read as long as the registry keeps it.
func (a *artifact) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	what := request{op: opRead, target: a.ref.String() + ": " + f.Path, bytes: true}
	if digest.Digest(f.Version).Validate() != nil {
		return nil, &lifecycle.Error{
			Op: opRead, Kind: lifecycle.Invalid, Target: what.target,
			Err: errors.New("the version of the file is no digest"), Hint: "take the file from Resolve",
		}
	}
	header := http.Header{"Accept": {"application/octet-stream, */*"}}
	if n < f.Size {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	res, err := a.get(ctx, a.reads, "/blobs/"+f.Version, header)
	if statusOf(err) == http.StatusNotFound && a.replaced(ctx, f) {
		err = &changed{}
	}
	if err == nil {
		if err = answers(res, f, off, n); err != nil {
			_ = res.Body.Close()
		}
	}
	if err != nil {
		return nil, a.explain(ctx, what, err)
	}
	return owed.New(ctx, res.Body, n, func(err error) error { return a.explain(ctx, what, err) }), nil
}

// answers checks that the response holds the bytes that were asked for.
func answers(res *http.Response, f source.File, off, n int64) error {
	got := res.Header.Get("Content-Range")
	if n < f.Size && (res.StatusCode != http.StatusPartialContent || !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1))) {
		return &wrongAnswer{fmt.Sprintf("asked for bytes %d-%d, the answer is %d %.60q", off, off+n-1, res.StatusCode, got)}
	}
	if res.ContentLength >= 0 && res.ContentLength != n {
		return &wrongAnswer{fmt.Sprintf("asked for %d bytes, the answer has %d", n, res.ContentLength)}
	}
	return nil
}

// replaced reports whether the tag names another layer for f now.
func (a *artifact) replaced(ctx context.Context, f source.File) bool {
	if a.ref.pinned() {
		return false
	}
	now, err := a.Resolve(ctx)
	if err != nil {
		return false
	}
	again, ok := now.File(f.Path)
	return ok && again.Version != f.Version
}
