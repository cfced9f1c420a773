package gcstest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Fake answers the requests of the JSON API that the driver sends: lists, metadata and
// media, with ranges, generations and pages. Set Before to show what no other server shows.
type Fake struct {
	Endpoint string
	// Before sees each request first, and has answered it when it returns true.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// PageSize is how many names a listing has at most; 0 means 1000.
	PageSize int

	mu         sync.Mutex
	buckets    map[string]map[string]Object
	generation int64
	requests   []*http.Request
}

// An Object is what a Fake stores.
type Object struct {
	Data       []byte
	Generation int64             // 0 means a new one
	Headers    map[string]string // sent with the bytes
	// NoCRC leaves the checksum out, as for objects with a key of the customer.
	NoCRC bool
	MD5   []byte // left out where it is empty, as for composite objects
}

// NewFake starts a Fake that ends with the test.
func NewFake(tb testing.TB) *Fake {
	tb.Helper()
	f := &Fake{buckets: map[string]map[string]Object{}, generation: 1_700_000_000_000_000}
	srv := httptest.NewServer(f)
	tb.Cleanup(srv.Close)
	f.Endpoint = srv.URL
	return f
}

// Env returns the variable that points a client at the fake, as an emulator.
func (f *Fake) Env() lifecycle.EnvVars { return emulator(f.Endpoint) }

func emulator(endpoint string) lifecycle.EnvVars {
	return lifecycle.EnvVars{"STORAGE_EMULATOR_HOST": endpoint, "GOOGLE_CLOUD_PROJECT": Project}
}

// Client returns a client that sends the requests for Google's own services to the fake.
func (f *Fake) Client() *http.Client { return &http.Client{Transport: &rewriter{to: f.Endpoint}} }

// rewriter is not a proxy: the driver asks Google's origins, and the fake answers.
type rewriter struct{ to string }

// RoundTrip implements http.RoundTripper.
func (t *rewriter) RoundTrip(r *http.Request) (*http.Response, error) {
	to, err := url.Parse(t.to)
	if err != nil {
		return nil, err
	}
	c := r.Clone(r.Context())
	c.Host, c.URL.Scheme, c.URL.Host = r.URL.Host, to.Scheme, to.Host
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	return transport.RoundTrip(c)
}

// Put stores an object with its checksum, and creates the bucket.
func (f *Fake) Put(bucket, name string, data []byte) { f.PutObject(bucket, name, Object{Data: data}) }

// PutObject stores an object.
func (f *Fake) PutObject(bucket, name string, o Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.generation++; o.Generation == 0 {
		o.Generation = f.generation
	}
	if f.buckets[bucket] == nil {
		f.buckets[bucket] = map[string]Object{}
	}
	f.buckets[bucket][name] = o
}

// Delete removes an object.
func (f *Fake) Delete(bucket, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.buckets[bucket], name)
}

// Requests returns all requests so far, without their bodies.
func (f *Fake) Requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.requests...)
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.requests = append(f.requests, r)
	f.mu.Unlock()
	if f.Before != nil && f.Before(w, r) {
		return
	}
	escaped, ok := strings.CutPrefix(r.URL.EscapedPath(), "/storage/v1/b")
	bucket, name, isObject := strings.Cut(strings.TrimPrefix(escaped, "/"), "/o")
	name, err := url.PathUnescape(strings.TrimPrefix(name, "/"))
	if !ok || err != nil {
		Fail(w, http.StatusNotFound, "notFound", "Not Found")
		return
	}
	f.mu.Lock()
	objects, known := f.buckets[bucket]
	o, found := objects[name]
	f.mu.Unlock()
	switch want := r.URL.Query().Get("generation"); {
	case bucket == "":
		f.listBuckets(w)
	case !known:
		Fail(w, http.StatusNotFound, "notFound", "The specified bucket does not exist.")
	case isObject && name == "":
		f.list(w, r, bucket)
	case !found, want != "" && want != strconv.FormatInt(o.Generation, 10):
		Fail(w, http.StatusNotFound, "notFound", "No such object: "+bucket+"/"+name)
	case r.URL.Query().Get("alt") == "media":
		o.serve(w, r)
	default:
		_ = json.NewEncoder(w).Encode(o.resource(bucket, name)) // a client that went away is no concern of the fake
	}
}

// Fail answers with an error as the JSON API words it.
func Fail(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	type item struct {
		Message string `json:"message"`
		Domain  string `json:"domain"`
		Reason  string `json:"reason"`
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"code": status, "message": message, "errors": []item{{message, "global", reason}},
	}})
}

func (o Object) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Goog-Generation", strconv.FormatInt(o.Generation, 10))
	h.Set("X-Goog-Hash", "crc32c="+o.crc32c())
	for k, v := range o.Headers {
		h.Set(k, v)
	}
	from, to, status := 0, len(o.Data), http.StatusOK
	if spec, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		first, last, _ := strings.Cut(spec, "-")
		from, _ = strconv.Atoi(first)
		if n, err := strconv.Atoi(last); err == nil {
			to = min(n+1, to)
		}
		if from >= len(o.Data) {
			Fail(w, http.StatusRequestedRangeNotSatisfiable, "requestedRangeNotSatisfiable", "Request range not satisfiable")
			return
		}
		status = http.StatusPartialContent
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(o.Data)))
	}
	h.Set("Content-Length", strconv.Itoa(to-from))
	w.WriteHeader(status)
	_, _ = w.Write(o.Data[from:to])
}

func (o Object) crc32c() string {
	sum := crc32.Checksum(o.Data, crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}
