package gcstest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// resource is an object as listings and metadata show it. Numbers are strings there.
type resource struct {
	Kind       string `json:"kind"`
	Bucket     string `json:"bucket"`
	Name       string `json:"name"`
	Size       string `json:"size"`
	Generation string `json:"generation"`
	CRC32C     string `json:"crc32c,omitempty"`
	MD5        string `json:"md5Hash,omitempty"`
}

func (o Object) resource(bucket, name string) resource {
	r := resource{
		Kind: "storage#object", Bucket: bucket, Name: name, Size: strconv.Itoa(len(o.Data)),
		Generation: strconv.FormatInt(o.Generation, 10), MD5: base64.StdEncoding.EncodeToString(o.MD5),
	}
	if !o.NoCRC {
		r.CRC32C = o.crc32c()
	}
	return r
}

// list answers a listing. The page token is the last name of the page before.
func (f *Fake) list(w http.ResponseWriter, r *http.Request, bucket string) {
	q := r.URL.Query()
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	var page struct {
		Kind     string     `json:"kind"`
		Next     string     `json:"nextPageToken,omitempty"`
		Items    []resource `json:"items,omitempty"`
		Prefixes []string   `json:"prefixes,omitempty"`
	}
	page.Kind = "storage#objects"
	size := f.PageSize
	if size == 0 {
		size = 1000
	}
	f.mu.Lock()
	objects := maps.Clone(f.buckets[bucket])
	f.mu.Unlock()
	n, last := 0, ""
	for _, name := range slices.Sorted(maps.Keys(objects)) {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || name <= q.Get("pageToken") {
			continue
		}
		if n == size {
			page.Next = last
			break
		}
		n, last = n+1, name
		if folder, _, cut := strings.Cut(rest, delimiter); delimiter != "" && cut {
			if p := prefix + folder + delimiter; !slices.Contains(page.Prefixes, p) {
				page.Prefixes = append(page.Prefixes, p)
			}
			continue
		}
		page.Items = append(page.Items, objects[name].resource(bucket, name))
	}
	_ = json.NewEncoder(w).Encode(page) // a client that went away is no concern of the fake
}

func (f *Fake) listBuckets(w http.ResponseWriter) {
	type bucket struct {
		Name string `json:"name"`
	}
	res := struct {
		Items []bucket `json:"items"`
	}{}
	f.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(f.buckets)) {
		res.Items = append(res.Items, bucket{name})
	}
	f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(res)
}
