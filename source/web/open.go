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
	"github.com/spinup-llm/spinup/source/internal/owed"
	"github.com/spinup-llm/spinup/source/internal/streams"
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

func (s *site) read(ctx context.Context, at *url.URL, f source.File, off, n int64) (io.ReadCloser, error) {
	want := streams.Range{Key: shown(at) + " " + f.Version, Size: f.Size, Off: off, Len: n}
	b, err := s.streams.Open(ctx, want, func(ctx context.Context) (streams.Answer, error) {
		res, err := s.send(ctx, http.MethodGet, at, asked(f, off, n))
		if err != nil {
			return streams.Answer{}, err
		}
		if err := answers(res, f, off, n); err != nil {
			_ = res.Body.Close()
			return streams.Answer{}, err
		}
		return streams.Answer{Body: res.Body, Whole: res.StatusCode == http.StatusOK}, nil
	})
	if err != nil {
		return nil, err
	}
	return owed.New(ctx, b, n, func(err error) error { return s.explain(ctx, about{opRead, shown(at), at, true}, err) }), nil
}

// asked are the headers for a range of the file's version.
func asked(f source.File, off, n int64) map[string]string {
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
	return headers
}

// answers checks that the response has the bytes that were asked for, of the version that
// was asked for, or all that the file has.
func answers(res *http.Response, f source.File, off, n int64) error {
	if is := versionOf(res.Header); f.Version != "" && is != "" && isTag(is) == isTag(f.Version) && is != f.Version {
		return errChanged
	}
	due, length := n, res.ContentLength
	switch first, last, size := contentRange(res.Header); {
	case res.StatusCode == http.StatusPartialContent && n < f.Size:
		if size >= 0 && size != f.Size {
			return errChanged
		}
		if first != off || last != off+n-1 {
			return fmt.Errorf("asked for bytes %d-%d, the answer has %d-%d", off, off+n-1, first, last)
		}
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("an answer with status %d was not asked for", res.StatusCode)
	default:
		due = f.Size
	}
	coding := strings.ToLower(res.Header.Get("Content-Encoding"))
	switch {
	case length == due: // what is stored packed may say so
		return nil
	case coding != "" && coding != "identity":
		return fmt.Errorf("the answer is compressed (%.20q), which was not asked for", coding)
	case length >= 0 && res.StatusCode == http.StatusOK:
		return errChanged
	case length >= 0:
		return fmt.Errorf("asked for %d bytes, the answer has %d", due, length)
	}
	return nil
}
