package store

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// etag tells files apart as well as the manifest does.
func etag(f source.File) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", f.Path, f.Size, f.Digest, f.Version))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// object answers HeadObject and GetObject.
func (s *Store) object(w http.ResponseWriter, r *http.Request, m *model, key string) {
	f, found := m.find(key)
	off, n, part, satisfiable := ranged(r.Header.Get("Range"), f.Size)
	switch match := r.Header.Get("If-Match"); {
	case !onlyReads(r):
		notImplemented.answer(w)
		return
	case !found:
		noSuchKey.answer(w)
		return
	case match != "" && match != "*" && strings.Trim(match, `"`) != strings.Trim(etag(f), `"`):
		changed.answer(w)
		return
	case !satisfiable:
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", f.Size))
		invalidRange.answer(w)
		return
	}
	h := w.Header()
	h.Set("ETag", etag(f))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Last-Modified", s.modified.UTC().Format(http.TimeFormat))
	h.Set("Content-Type", "binary/octet-stream")
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	status := http.StatusOK
	if part {
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, f.Size))
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	m.send(w, r, f, off, n, status)
}

// onlyReads refuses other operations than the two, which differ by a parameter, and versions
// and parts. The SDKs name the operation in x-id.
func onlyReads(r *http.Request) bool {
	for name := range r.URL.Query() {
		if name != "x-id" {
			return false
		}
	}
	return true
}

// send writes the bytes as they come. What fails after the first leaves the body short, and
// the server then cuts the connection.
func (m *model) send(w http.ResponseWriter, r *http.Request, f source.File, off, n int64, status int) {
	body, err := m.from.Open(r.Context(), f, off, n)
	if err != nil {
		w.Header().Del("ETag")
		w.Header().Del("Content-Length")
		w.Header().Del("Content-Range")
		refusal{http.StatusInternalServerError, "InternalError", lifecycle.KindOf(err).String()}.answer(w)
		return
	}
	defer body.Close() //nolint:errcheck // its bytes have been read
	w.WriteHeader(status)
	_ = http.NewResponseController(w).Flush() // that it is on its way, as the first byte may take a while
	_, _ = io.Copy(w, body)
}

// ranged reads the header Range against a size. What is no single range of bytes is ignored,
// as S3 does.
func ranged(header string, size int64) (off, n int64, part, satisfiable bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, true
	}
	from, fromErr := offset(first)
	to, toErr := offset(last)
	switch {
	case first == "" && toErr == nil: // the last bytes
		n = min(to, size)
		return size - n, n, true, n > 0
	case fromErr != nil || last != "" && (toErr != nil || to < from):
		return 0, size, false, true
	case from >= size:
		return 0, 0, true, false
	case last == "":
		to = size - 1
	}
	return from, min(to, size-1) - from + 1, true, true
}

func offset(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err
}
