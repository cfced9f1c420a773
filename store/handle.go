package store

import (
	"crypto/subtle"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// A refusal is an answer as S3 words it.
type refusal struct {
	status        int
	code, message string
}

var (
	accessDenied   = refusal{http.StatusForbidden, "AccessDenied", "this service is for one engine, and this is not its key"}
	notImplemented = refusal{http.StatusNotImplemented, "NotImplemented", "this service lists and reads the files of a model, and does nothing else"}
	noSuchBucket   = refusal{http.StatusNotFound, "NoSuchBucket", "there is no such bucket"}
	noSuchKey      = refusal{http.StatusNotFound, "NoSuchKey", "there is no such file"}
	invalidRange   = refusal{http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "the range begins beyond the file"}
	changed        = refusal{http.StatusPreconditionFailed, "PreconditionFailed", "the file is another one: its ETag differs"}
)

func (no refusal) answer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(no.status)
	_ = xml.NewEncoder(w).Encode(struct { // who has gone away does not miss it
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
	}{Code: no.code, Message: no.message})
}

func (s *Store) handle(w http.ResponseWriter, r *http.Request) {
	m := s.model.Load()
	in, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case subtle.ConstantTimeCompare([]byte(keyOf(r)), []byte(s.AccessKey)) != 1:
		accessDenied.answer(w)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		notImplemented.answer(w)
	case in != bucket || m == nil:
		noSuchBucket.answer(w)
	case key != "":
		s.object(w, r, m, key)
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	default:
		s.list(w, r, m)
	}
}

// keyOf returns the access key of a request that is signed as AWS does it: "AWS4-HMAC-SHA256
// Credential=KEY/DATE/REGION/s3/aws4_request, SignedHeaders=…".
func keyOf(r *http.Request) string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(credential, "/")
	return key
}

func (m *model) find(key string) (f source.File, ok bool) {
	name, ok := strings.CutPrefix(key, m.prefix)
	if !ok {
		return f, false
	}
	i, ok := slices.BinarySearchFunc(m.files, name, func(f source.File, name string) int { return strings.Compare(f.Path, name) })
	if !ok {
		return f, false
	}
	return m.files[i], true
}
