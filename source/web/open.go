package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

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
	b := &body{left: n, ended: ctx.Err, explain: func(err error) error { return s.explain(ctx, about{opRead, shown(at), at, true}, err) }}
	key := at.String() + " " + f.Version
	if st := s.streams.take(key, off); st != nil {
		b.from, b.skip, b.end, b.stop = st.from, off-st.pos, st.end, context.AfterFunc(ctx, st.end)
		b.waitAt(&s.streams, st, f, off+n)
		return b, nil
	}
	// The answer may outlive the call: see stream. Until then ctx ends it.
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	free, end := context.WithCancel(context.WithoutCancel(ctx))
	b.end, b.stop = end, context.AfterFunc(ctx, end)
	res, err := s.send(free, http.MethodGet, at, asked(f, off, n))
	if err == nil {
		b.from = res.Body
		b.skip, err = answers(res, f, off, n)
	}
	if err != nil {
		b.stop()
		if res != nil {
			_ = res.Body.Close()
		}
		end()
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		b.waitAt(&s.streams, &stream{key: key, from: res.Body, end: end}, f, off+n)
	}
	return b, nil
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
	ended   func() error       // why the caller's context has ended, or nil
	end     context.CancelFunc // ends the request
	stop    func() bool        // has the end of the context no longer end it
	wait    func()             // keeps the answer for the next range; nil where nothing follows
	once    sync.Once
}

// waitAt has st wait where b ends at that offset, if the file goes on there.
func (b *body) waitAt(all *streams, st *stream, f source.File, offset int64) {
	if offset == f.Size {
		return
	}
	b.wait = func() {
		st.pos = offset
		all.give(st)
	}
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if err := b.ended(); err != nil {
		return 0, b.explain(err)
	}
	if b.skip > 0 {
		n, err := io.CopyN(io.Discard, b.from, b.skip)
		if b.skip -= n; err != nil {
			return 0, b.explain(early(err))
		}
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err != nil {
		b.wait = nil
	}
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
func (b *body) Close() error {
	var err error
	b.once.Do(func() {
		if b.stop() && b.left == 0 && b.wait != nil {
			b.wait()
			return
		}
		err = b.from.Close()
		b.end()
	})
	return err
}
