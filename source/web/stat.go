package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

var errNoSize = errors.New("the server does not tell the size of the file")

// stat returns size and version of the file at an address, and where the answer came from.
func (s *site) stat(ctx context.Context, at *url.URL) (source.File, *url.URL, error) {
	res, err := s.small(ctx, http.MethodHead, at, nil)
	if wantsGet(err) {
		res, err = s.small(ctx, http.MethodGet, at, map[string]string{"Range": "bytes=0-0"})
	}
	if no, ok := errors.AsType[*refusal](err); ok && isEmpty(no) {
		return source.File{Version: versionOf(no.header)}, no.at, nil
	}
	if err != nil {
		return source.File{}, nil, err
	}
	_ = res.Body.Close()
	f := source.File{Size: res.ContentLength, Version: versionOf(res.Header)}
	if res.StatusCode == http.StatusPartialContent {
		_, _, f.Size = contentRange(res.Header)
	}
	from := res.Request.URL
	if f.Size < 0 && !strings.HasSuffix(from.Path, "/") {
		return f, from, errNoSize
	}
	return f, from, nil
}

// wantsGet reports a server, or a signed link, that allows no HEAD: a signature is for one method
// (AWS Signature Version 4, Google Cloud Storage's V4).
func wantsGet(err error) bool {
	no, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	switch no.status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return no.at.RawQuery != ""
	default:
		return false
	}
}

// isEmpty reports the answer to a range of a file without a byte.
func isEmpty(no *refusal) bool {
	return no.status == http.StatusRequestedRangeNotSatisfiable && no.header.Get("Content-Range") == "bytes */0"
}

// versionOf returns the ETag as it is written, else the date of the last change, else "".
func versionOf(h http.Header) string {
	if tag := strings.TrimSpace(h.Get("ETag")); isTag(tag) {
		return tag
	}
	date := h.Get("Last-Modified")
	if _, err := http.ParseTime(date); err != nil {
		return ""
	}
	return date
}

func isTag(s string) bool {
	return strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "W/")
}

// contentRange reads the header of that name: the first and the last byte, and the size of
// the whole, each -1 where it is not told.
func contentRange(h http.Header) (first, last, size int64) {
	number := func(s string) int64 {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && s[0] != '+' {
			return n
		}
		return -1
	}
	spec, ok := strings.CutPrefix(h.Get("Content-Range"), "bytes ")
	at, whole, cut := strings.Cut(spec, "/")
	from, to, dash := strings.Cut(at, "-")
	if !ok || !cut || !dash {
		return -1, -1, -1
	}
	return number(from), number(to), number(whole)
}
