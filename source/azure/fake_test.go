package azure_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A fake answers lists, HEADs and GETs, 50 blobs to a page. It checks no signature. Set
// before to show what no real server shows.
type fake struct {
	endpoint string
	before   func(w http.ResponseWriter, r *http.Request) bool

	mu    sync.Mutex
	blobs map[string]map[string][]byte
}

func newFake(tb testing.TB) *fake {
	tb.Helper()
	f := &fake{blobs: map[string]map[string][]byte{}}
	srv := httptest.NewServer(f)
	tb.Cleanup(srv.Close)
	f.endpoint = srv.URL + "/" + account
	return f
}

func (f *fake) Env() lifecycle.EnvVars {
	return lifecycle.EnvVars{
		"AZURE_STORAGE_ENDPOINT": f.endpoint, "AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ACCOUNT_KEY": key,
	}
}

func (f *fake) put(_ testing.TB, container, name string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.blobs[container] == nil {
		f.blobs[container] = map[string][]byte{}
	}
	f.blobs[container][name] = data
}

func (f *fake) remove(_ testing.TB, container, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.blobs[container], name)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.before != nil && f.before(w, r) {
		return
	}
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/"+account+"/")
	container, escaped, _ := strings.Cut(path, "/")
	name, _ := url.PathUnescape(escaped)
	f.mu.Lock()
	blobs := maps.Clone(f.blobs[container])
	f.mu.Unlock()
	data, ok := blobs[name]
	switch {
	case blobs == nil:
		fail(w, http.StatusNotFound, "ContainerNotFound", "The specified container does not exist.")
	case name == "":
		list(w, r.URL.Query(), blobs)
	case !ok:
		fail(w, http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
	case r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != etag(data):
		fail(w, http.StatusPreconditionFailed, "ConditionNotMet", "The condition specified is not met.")
	default:
		serve(w, r, data)
	}
}

func etag(data []byte) string { return fmt.Sprintf(`"0x%X"`, md5.Sum(data)) }

func serve(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("ETag", etag(data))
	from, to, status := 0, len(data), http.StatusOK
	if spec, ok := strings.CutPrefix(r.Header.Get("X-Ms-Range"), "bytes="); ok {
		first, last, _ := strings.Cut(spec, "-")
		from, _ = strconv.Atoi(first)
		to, _ = strconv.Atoi(last)
		to, status = min(to+1, len(data)), http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(data)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(to-from))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(data[from:to])
	}
}

func list(w http.ResponseWriter, q url.Values, blobs map[string][]byte) {
	type name struct {
		Encoded bool   `xml:",attr,omitempty"`
		Name    string `xml:",chardata"`
	}
	type item struct {
		Name       name
		Properties struct {
			Etag   string
			Length int    `xml:"Content-Length"`
			Sum    string `xml:"Content-MD5"`
		}
	}
	var res struct {
		XMLName    xml.Name `xml:"EnumerationResults"`
		Blobs      []item   `xml:"Blobs>Blob"`
		Prefixes   []item   `xml:"Blobs>BlobPrefix"`
		NextMarker string
	}
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	last := ""
	for _, key := range slices.Sorted(maps.Keys(blobs)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || key <= unescape(q.Get("marker")) {
			continue
		}
		if len(res.Blobs) == 50 {
			res.NextMarker = url.QueryEscape(last)
			break
		}
		if dir, _, cut := strings.Cut(rest, delimiter); delimiter != "" && cut {
			var p item
			p.Name.Name = prefix + dir + delimiter
			if !slices.ContainsFunc(res.Prefixes, func(i item) bool { return i.Name == p.Name }) {
				res.Prefixes = append(res.Prefixes, p)
			}
			continue
		}
		var i item
		i.Name = name{true, strings.ReplaceAll(url.QueryEscape(key), "+", "%20")}
		i.Properties.Etag = strings.Trim(etag(blobs[key]), `"`)
		i.Properties.Length, i.Properties.Sum = len(blobs[key]), base64MD5(blobs[key])
		res.Blobs, last = append(res.Blobs, i), key
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(res)
}

func unescape(s string) string {
	s, _ = url.QueryUnescape(s)
	return s
}

// fail answers with an error as Azure words it.
func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Ms-Error-Code", code)
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s\nRequestId:canary\nTime:now</Message></Error>", code, message)
}

func base64MD5(data []byte) string {
	sum := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}
