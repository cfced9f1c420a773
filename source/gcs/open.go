package gcs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/owed"
)

const opRead = "source.Read"

// Open implements source.Source: one GET of the file's generation, not retried. Where the
// bucket keeps old versions, one that was replaced meanwhile is still read.
func (b *bucket) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	name := b.name(f)
	var x exchange
	got, err := b.get(x.in(ctx), &x, name, f, off, n)
	if b.maybeObject(f, name) && statusOf(err) == http.StatusNotFound {
		var second exchange
		if whole, again := b.get(second.in(ctx), &second, b.loc.Prefix, f, off, n); again == nil {
			b.single.Store(true)
			return b.body(ctx, &second, b.loc.Prefix, whole, n), nil
		}
	}
	if statusOf(err) == http.StatusNotFound && f.Version != "" {
		err = b.replaced(ctx, name, err)
	}
	if err != nil {
		return nil, b.explain(ctx, reading(opRead, b.loc, name), err, &x)
	}
	return b.body(ctx, &x, name, got, n), nil
}

// body is what x answers. What the SDK takes for an end is not always one.
func (b *bucket) body(ctx context.Context, x *exchange, name string, from io.ReadCloser, n int64) io.ReadCloser {
	return owed.New(ctx, from, n, func(err error) error {
		if err == io.ErrUnexpectedEOF && x.broken != nil { //nolint:errorlint // Body returns it as it is
			err = x.broken
		}
		return b.explain(ctx, reading(opRead, b.loc, name), err, nil)
	})
}

// name returns the object of f, as the last Resolve saw it.
func (b *bucket) name(f source.File) string {
	if b.single.Load() && f.Path == b.loc.Base() {
		return b.loc.Prefix
	}
	return b.loc.Under() + f.Path
}

// maybeObject reports whether f may be the object that the URI names: a Source that has
// not resolved does not know yet.
func (b *bucket) maybeObject(f source.File, tried string) bool {
	return f.Path == b.loc.Base() && !b.loc.Folder && tried != b.loc.Prefix
}

func (b *bucket) get(ctx context.Context, x *exchange, name string, f source.File, off, n int64) (*storage.Reader, error) {
	o := b.reads.Object(name)
	if f.Version != "" {
		generation, err := strconv.ParseInt(f.Version, 10, 64)
		if err != nil || generation <= 0 {
			return nil, &wrongAnswer{"the version of the file is no generation"}
		}
		o = o.Generation(generation)
	}
	length := n
	if n == f.Size {
		length = -1 // no Range: all of it
	}
	r, err := o.NewRangeReader(ctx, off, length, storage.WithDisableReaderChecksum()) // download verifies
	if err != nil {
		return nil, err
	}
	if err := answers(x.header, f, off, n, r.Remain()); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// answers checks that the response holds the bytes that were asked for.
func answers(h http.Header, f source.File, off, n, length int64) error {
	if is := h.Get("X-Goog-Generation"); f.Version != "" && cmp.Or(is, f.Version) != f.Version {
		return &changed{}
	}
	got, coding := h.Get("Content-Range"), strings.ToLower(h.Get("Content-Encoding"))
	switch {
	case (n < f.Size || got != "") && !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)):
		return &wrongAnswer{fmt.Sprintf("asked for bytes %d-%d, the answer is %.60q", off, off+n-1, got)}
	case length < unknown && length != n:
		return &wrongAnswer{fmt.Sprintf("asked for %d bytes, the answer has %d", n, length)}
	case length >= unknown && coding != "" && coding != "identity" && h.Get("X-Goog-Stored-Content-Encoding") != coding:
		return &wrongAnswer{fmt.Sprintf("the answer is compressed (%.20q), which is not how it is stored", coding)}
	}
	return nil
}

// replaced tells an object that has another generation now from one that is gone.
func (b *bucket) replaced(ctx context.Context, name string, gone error) error {
	if _, err := b.lists.Object(name).Attrs(ctx); err == nil {
		return &changed{}
	}
	return gone
}

// Locate implements source.Locator.
func (b *bucket) Locate(f source.File) (*url.URL, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	return &url.URL{Scheme: "gs", Host: b.loc.Bucket, Path: "/" + b.name(f)}, nil
}
