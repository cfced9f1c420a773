package hub

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/streams"
)

// read checks that a is what was asked for, [off, off+n) of f, or all of the file, as caches that
// know no ranges send it. Otherwise a is closed.
func (a *answer) read(f source.File, off, n int64) (b streams.Answer, err error) {
	defer func() {
		if err != nil {
			_ = a.Close()
		}
	}()
	b = streams.Answer{Body: a, Whole: a.StatusCode == http.StatusOK}
	length := a.ContentLength
	coding := strings.ToLower(a.Header.Get("Content-Encoding"))
	switch {
	case coding == "" || coding == "identity":
	case coding == "gzip" && b.Whole:
		b.Body, length = &unpacked{answer: a}, -1
	default:
		return b, fmt.Errorf("the answer is compressed (%.20q), which was not asked for", coding)
	}
	switch got := a.Header.Get("Content-Range"); {
	case a.StatusCode == http.StatusPartialContent && n != f.Size:
		if !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)) || length >= 0 && length != n {
			return b, fmt.Errorf("asked for %d bytes at %d, the answer is %.60q with %d bytes", n, off, got, length)
		}
	case !b.Whole:
		return b, fmt.Errorf("an answer with status %d was not asked for", a.StatusCode)
	case length >= 0 && length != f.Size:
		return b, fmt.Errorf("the answer has %d bytes, the file %d", length, f.Size)
	}
	return b, nil
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) { return a.Body.Read(p) }

// An unpacked answer came compressed.
type unpacked struct {
	*answer
	bytes io.Reader // nil until the first Read
}

// Read implements io.Reader.
func (u *unpacked) Read(p []byte) (int, error) {
	if u.bytes == nil {
		z, err := gzip.NewReader(u.Body)
		if err != nil {
			return 0, err
		}
		u.bytes = z
	}
	return u.bytes.Read(p)
}
