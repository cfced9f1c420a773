package s3test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Fake answers the requests that the driver sends: lists, HEADs and GETs, with ranges,
// If-Match and pages. It checks no signature. Set Before to show what no real server shows.
type Fake struct {
	Endpoint string
	// Before sees each request first, and has answered it when it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// PageSize is how many keys a listing has; 0 means 1000.
	PageSize int
	// PartsPage is how many parts an answer has; 0 means all.
	PartsPage int

	mu       sync.Mutex
	buckets  map[string]map[string]Object
	requests []string
}

// An Object is what a Fake stores. Headers are sent with it, such as
// x-amz-checksum-crc64nvme.
type Object struct {
	Data    []byte
	ETag    string // "" means a quoted MD5, as of an upload in one part
	NoETag  bool   // as of a file that was copied into the folder of a server
	Headers map[string]string
	// Algorithm and Type are what listings say about the checksum.
	Algorithm, Type string
	// Parts are what GetObjectAttributes tells; none means that it knows of no parts.
	Parts []Part
}

// NewFake starts a Fake that ends with the test.
func NewFake(tb testing.TB) *Fake {
	tb.Helper()
	f := &Fake{buckets: map[string]map[string]Object{}}
	srv := httptest.NewServer(f)
	tb.Cleanup(srv.Close)
	f.Endpoint = srv.URL
	return f
}

// Env is as Server.Env.
func (f *Fake) Env() lifecycle.EnvVars {
	return (&Server{Endpoint: f.Endpoint, AccessKey: AccessKey, SecretKey: SecretKey}).Env()
}

// Put stores an object without a checksum, and creates the bucket.
func (f *Fake) Put(bucket, key string, data []byte) { f.PutObject(bucket, key, Object{Data: data}) }

// PutObject stores an object.
func (f *Fake) PutObject(bucket, key string, o Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if o.ETag == "" && !o.NoETag {
		o.ETag = etag(o.Data)
	}
	if f.buckets[bucket] == nil {
		f.buckets[bucket] = map[string]Object{}
	}
	f.buckets[bucket][key] = o
}

// Delete removes an object.
func (f *Fake) Delete(bucket, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.buckets[bucket], key)
}

// Requests returns "METHOD /path?query" of all requests so far.
func (f *Fake) Requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...)
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r.Method+" "+r.URL.RequestURI())
	f.mu.Unlock()
	if f.Before != nil && f.Before(w, r) {
		return
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	f.mu.Lock()
	objects, ok := f.buckets[bucket]
	o, found := objects[key]
	f.mu.Unlock()
	switch {
	case bucket == "":
		f.listBuckets(w)
	case !ok:
		Fail(w, http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case key == "":
		f.list(w, r, bucket)
	case !found:
		Fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != o.ETag:
		Fail(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
	case r.URL.Query().Has("attributes"):
		o.attributes(w, r, f.PartsPage)
	default:
		o.serve(w, r)
	}
}

// Fail answers with an error as S3 words it.
func Fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_ = xml.NewEncoder(w).Encode(struct { // a client that went away is no concern of the fake
		XMLName         xml.Name `xml:"Error"`
		Code, Message   string
		RequestId, Host string //nolint:revive // the names of the protocol
	}{Code: code, Message: message, RequestId: "REQUEST", Host: "HOST"})
}

func (o Object) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if o.ETag != "" {
		h.Set("ETag", o.ETag)
	}
	h.Set("Accept-Ranges", "bytes")
	h.Set("Last-Modified", time.Unix(0, 0).UTC().Format(http.TimeFormat))
	for k, v := range o.Headers {
		h.Set(k, v)
	}
	from, to, status := 0, len(o.Data), http.StatusOK
	if n, err := strconv.Atoi(r.URL.Query().Get("partNumber")); err == nil && n > 0 && n <= len(o.Parts) {
		to = 0
		for _, p := range o.Parts[:n] {
			from, to = to, to+p.Size
		}
		status = http.StatusPartialContent
	}
	if spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		first, last, _ := strings.Cut(spec, "-")
		from, _ = strconv.Atoi(first)
		if n, err := strconv.Atoi(last); err == nil {
			to = min(n+1, to)
		}
		if from >= len(o.Data) {
			Fail(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
			return
		}
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.Data)))
	}
	h.Set("Content-Length", strconv.Itoa(to-from))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(o.Data[from:to])
	}
}
