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
	"github.com/spinup-llm/spinup/source/internal/streams"
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
	want := streams.Range{Key: f.Version, Size: f.Size, Off: off, Len: n}
	body, err := a.streams.Open(ctx, want, func(ctx context.Context) (streams.Answer, error) { return a.blob(ctx, f, off, n) })
	if err != nil {
		return nil, a.explain(ctx, what, err)
	}
	return owed.New(ctx, body, n, func(err error) error { return a.explain(ctx, what, err) }), nil
}

// blob asks for a range. A registry need not know ranges (OCI distribution-spec 1.1, pulling
// blobs); one that does not sends all of the blob, which then comes as one stream.
func (a *artifact) blob(ctx context.Context, f source.File, off, n int64) (streams.Answer, error) {
	header := http.Header{"Accept": {"application/octet-stream, */*"}}
	if n < f.Size {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+n-1))
	}
	res, err := a.get(ctx, a.reads, "/blobs/"+f.Version, header)
	if statusOf(err) == http.StatusNotFound && a.replaced(ctx, f) {
		err = &changed{}
	}
	if err != nil {
		return streams.Answer{}, err
	}
	if err := answers(res, f, off, n); err != nil {
		_ = res.Body.Close()
		return streams.Answer{}, err
	}
	return streams.Answer{Body: res.Body, Whole: res.StatusCode == http.StatusOK}, nil
}

// answers checks that the response holds the bytes that were asked for, or all of the blob.
func answers(res *http.Response, f source.File, off, n int64) error {
	due := f.Size
	if res.StatusCode != http.StatusOK {
		due = n
		got := res.Header.Get("Content-Range")
		if res.StatusCode != http.StatusPartialContent || !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)) {
			return &wrongAnswer{fmt.Sprintf("asked for bytes %d-%d, the answer is %d %.60q", off, off+n-1, res.StatusCode, got)}
		}
	}
	coding := strings.ToLower(res.Header.Get("Content-Encoding"))
	switch {
	case res.ContentLength >= 0 && res.ContentLength != due:
		return &wrongAnswer{fmt.Sprintf("asked for %d bytes, the answer has %d", due, res.ContentLength)}
	case res.ContentLength < 0 && coding != "" && coding != "identity": // what is stored packed has a length
		return &wrongAnswer{fmt.Sprintf("the answer is compressed (%.20q), which was not asked for", coding)}
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
