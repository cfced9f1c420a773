package replica

import (
	"crypto/rand"
	"net/http"
	"strings"
)

// requestID is the header that tells requests apart, in both directions.
const requestID = "X-Request-Id"

// withID returns r with an id, which its answer has too: the client's own, where it is up to
// 128 bytes of printable ASCII. The header is r's alone: a handler around this one does not
// see what is changed in it.
func withID(w http.ResponseWriter, r *http.Request) *http.Request {
	header := r.Header.Clone()
	id := header.Get(requestID)
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c > '~' }) {
		id = rand.Text()
	}
	header.Set(requestID, id)
	w.Header().Set(requestID, id)
	r = r.WithContext(r.Context())
	r.Header = header
	return r
}
