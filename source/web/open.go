package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

const opRead = "source.Read"

var errChanged = errors.New("the server has another file there now")

// Open implements source.Source: one GET of the file's version, not retried.
func (s *site) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	maybe := f.Path == s.loc.base() && !s.loc.folder
	at := s.loc.child(f.Path)
	if maybe && s.single.Load() {
		at, maybe = s.loc.file(), false
	}
	b, err := s.read(ctx, at, f, off, n)
	if maybe && statusOf(err) == http.StatusNotFound { // a Source that has not resolved does not know yet
		if whole, second := s.read(ctx, s.loc.file(), f, off, n); second == nil {
			s.single.Store(true)
			return whole, nil
		}
	}
	if err != nil {
		return nil, s.explain(ctx, about{opRead, shown(at), at, true}, err)
	}
	return b, nil
}

func (s *site) read(ctx context.Context, at *url.URL, f source.File, off, n int64) (*body, error) {
	headers := map[string]string{}
	if n < f.Size {
		headers["Range"] = fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	}
	switch {
	case strings.HasPrefix(f.Version, `"`):
		headers["If-Match"] = f.Version
	case f.Version != "" && !isTag(f.Version):
		headers["If-Unmodified-Since"] = f.Version
	}
	res, err := s.send(ctx, http.MethodGet, at, headers)
	if err != nil {
		return nil, err
	}
	b := &body{from: res.Body, left: n}
	if b.skip, err = answers(res, f, off, n); err != nil {
		_ = res.Body.Close()
		return nil, err
	}
	b.explain = func(err error) error { return s.explain(ctx, about{opRead, shown(at), at, true}, err) }
	return b, nil
}

// answers checks that the response has the bytes that were asked for, of the version that
// was asked for, and returns how many others come first.
func answers(res *http.Response, f source.File, off, n int64) (skip int64, err error) {
	if is := versionOf(res.Header); f.Version != "" && is != "" && isTag(is) == isTag(f.Version) && is != f.Version {
		return 0, errChanged
	}
	due, length := n, res.ContentLength
	switch first, last, size := contentRange(res.Header); {
	case res.StatusCode == http.StatusPartialContent && n < f.Size:
		if size >= 0 && size != f.Size {
			return 0, errChanged
		}
		if first != off || last != off+n-1 {
			return 0, fmt.Errorf("asked for bytes %d-%d, the answer has %d-%d", off, off+n-1, first, last)
		}
	case res.StatusCode != http.StatusOK:
		return 0, fmt.Errorf("an answer with status %d was not asked for", res.StatusCode)
	default:
		due, skip = f.Size, off
	}
	coding := strings.ToLower(res.Header.Get("Content-Encoding"))
	switch {
	case length == due: // what is stored packed may say so
		return skip, nil
	case coding != "" && coding != "identity":
		return 0, fmt.Errorf("the answer is compressed (%.20q), which was not asked for", coding)
	case length >= 0 && res.StatusCode == http.StatusOK:
		return 0, errChanged
	case length >= 0:
		return 0, fmt.Errorf("asked for %d bytes, the answer has %d", due, length)
	}
	return skip, nil
}

// A body counts what a response still owes: an early end is an error, not the end.
type body struct {
	from    io.ReadCloser
	skip    int64 // to read over before
	left    int64
	explain func(error) error
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.skip > 0 {
		n, err := io.CopyN(io.Discard, b.from, b.skip)
		if b.skip -= n; err != nil {
			return 0, b.explain(early(err))
		}
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == nil || b.left == 0 {
		return n, nil
	}
	return n, b.explain(early(err))
}

func early(err error) error {
	if err == io.EOF { //nolint:errorlint // a body returns it as it is
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.from.Close() }
