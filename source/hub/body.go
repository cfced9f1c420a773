package hub

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// maxSkip is how much of a file is read over, in bytes, where a server ignores the range.
const maxSkip = 64 << 20

// A body is what of an answer was asked for.
type body struct {
	from  *answer
	bytes io.Reader // nil until the first Read, where the answer is compressed
	skip  int64     // to read over before
}

// newBody checks that a is what was asked for, [off, off+n) of f.
func newBody(a *answer, f source.File, off, n int64) (*body, error) {
	b := &body{from: a, bytes: a.Body}
	coding := strings.ToLower(a.Header.Get("Content-Encoding"))
	switch {
	case coding == "" || coding == "identity":
	case coding == "gzip" && a.StatusCode == http.StatusOK:
		b.bytes = nil
	default:
		return nil, fmt.Errorf("the answer is compressed (%.20q), which was not asked for", coding)
	}
	length := a.ContentLength
	if b.bytes == nil {
		length = -1
	}
	whole := n == f.Size
	switch got := a.Header.Get("Content-Range"); {
	case a.StatusCode == http.StatusPartialContent && !whole:
		if !strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", off, off+n-1)) || length >= 0 && length != n {
			return nil, fmt.Errorf("asked for %d bytes at %d, the answer is %.60q with %d bytes", n, off, got, length)
		}
	case a.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("an answer with status %d was not asked for", a.StatusCode)
	case length >= 0 && length != f.Size:
		return nil, fmt.Errorf("the answer has %d bytes, the file %d", length, f.Size)
	case off > maxSkip:
		return nil, fmt.Errorf("the server ignores ranges, and %d bytes are too many to read over", off)
	default:
		b.skip = off
	}
	return b, nil
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if err := b.begin(); err != nil {
		return 0, err
	}
	return b.bytes.Read(p)
}

// begin unpacks and reads over what has to be.
func (b *body) begin() error {
	if b.bytes == nil {
		z, err := gzip.NewReader(b.from.Body)
		if err != nil {
			return err
		}
		b.bytes = z
	}
	if b.skip == 0 {
		return nil
	}
	n, err := io.CopyN(io.Discard, b.bytes, b.skip)
	b.skip -= n
	return err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.from.Close() }
