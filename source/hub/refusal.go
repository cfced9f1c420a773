package hub

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	codeNoRepo     = "RepoNotFound"
	codeNoRevision = "RevisionNotFound"
	codeNoFile     = "EntryNotFound"
	codeGated      = "GatedRepo"
)

// A refusal is an answer that is no success.
type refusal struct {
	status  int
	code    string // X-Error-Code
	message string // without query strings
	own     bool   // the hub said it, not another origin
	wait    time.Duration
}

// newRefusal reads what the answer says about itself.
func newRefusal(resp *http.Response, own bool) *refusal {
	f := &refusal{status: resp.StatusCode, own: own, wait: pause(resp.Header, time.Now())}
	if !own {
		return f
	}
	f.code, f.message = resp.Header.Get("X-Error-Code"), resp.Header.Get("X-Error-Message")
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var body struct {
		Error string `json:"error"`
	}
	if f.message == "" && err == nil && json.Unmarshal(data, &body) == nil {
		f.message = body.Error
	}
	f.code, f.message = plain(f.code), plain(f.message)
	return f
}

var queries = regexp.MustCompile(`\?\S*`)

// plain makes a text of others fit for one line of a log.
func plain(text string) string {
	text = queries.ReplaceAllString(strings.Join(strings.Fields(text), " "), "?")
	if len(text) > 300 {
		text = text[:300] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

// Error implements error.
func (f *refusal) Error() string {
	who := "the hub"
	if !f.own {
		who = "the server of large files"
	}
	text := who + " answered " + strconv.Itoa(f.status)
	if f.code != "" {
		text += " " + f.code
	}
	if f.message != "" {
		text += ": " + f.message
	}
	return text
}

// disabled reports whether the hub has blocked the repository.
func (f *refusal) disabled() bool {
	return f.status == http.StatusForbidden && strings.Contains(f.message, "resource is disabled")
}

// expired reports whether a link that worked before may have been refused for its age.
func (f *refusal) expired() bool {
	switch f.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	default:
		return false
	}
}

// kind classifies the answer to a request for a listing, or for bytes.
func (f *refusal) kind(bytes bool) lifecycle.Kind {
	switch {
	case f.status == http.StatusTooManyRequests:
		return lifecycle.Throttled
	case f.status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case f.status >= 500 || f.status == http.StatusRequestTimeout || f.status < 400 || !f.own:
		return lifecycle.Unavailable
	case f.code == codeNoRepo || f.code == codeNoRevision:
		return lifecycle.NotFound
	case f.code == codeGated:
		return lifecycle.Gated
	case f.status == http.StatusUnauthorized:
		return lifecycle.Unauthenticated
	case f.status == http.StatusForbidden:
		return lifecycle.AccessDenied
	case f.status == http.StatusNotFound && bytes:
		return lifecycle.MissingFile
	case f.status == http.StatusNotFound:
		return lifecycle.NotFound
	default:
		return lifecycle.Invalid
	}
}
