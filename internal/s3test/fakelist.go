package s3test

import (
	"crypto/md5" //nolint:gosec // S3's ETags are MD5
	"encoding/hex"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

type listResult struct {
	XMLName               xml.Name `xml:"ListBucketResult"`
	Name, Prefix          string
	EncodingType          string `xml:",omitempty"`
	IsTruncated           bool
	NextContinuationToken string       `xml:",omitempty"`
	Contents              []listObject `xml:",omitempty"`
	CommonPrefixes        []listPrefix `xml:",omitempty"`
}

type listObject struct {
	Key               string
	ETag              string `xml:",omitempty"`
	Size              int
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

type listPrefix struct{ Prefix string }

// list answers ListObjectsV2. The continuation token is the last key of the page before.
func (f *Fake) list(w http.ResponseWriter, r *http.Request, bucket string) {
	q := r.URL.Query()
	encode := func(s string) string { return s }
	if q.Get("encoding-type") == "url" {
		encode = url.QueryEscape
	}
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	res := listResult{Name: bucket, Prefix: encode(prefix), EncodingType: q.Get("encoding-type")}
	size := f.PageSize
	if size == 0 {
		size = 1000
	}
	f.mu.Lock()
	objects := maps.Clone(f.buckets[bucket])
	f.mu.Unlock()
	n, last := 0, ""
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		rest, ok := strings.CutPrefix(key, prefix)
		if !ok || key <= q.Get("continuation-token") {
			continue
		}
		if n == size {
			res.IsTruncated, res.NextContinuationToken = true, last
			break
		}
		n, last = n+1, key
		if folder, _, cut := strings.Cut(rest, delimiter); delimiter != "" && cut {
			p := listPrefix{encode(prefix + folder + delimiter)}
			if !slices.Contains(res.CommonPrefixes, p) {
				res.CommonPrefixes = append(res.CommonPrefixes, p)
			}
			continue
		}
		o := objects[key]
		res.Contents = append(res.Contents, listObject{encode(key), o.ETag, len(o.Data), o.Algorithm, o.Type})
	}
	_ = xml.NewEncoder(w).Encode(res) // a client that went away is no concern of the fake
}

func (f *Fake) listBuckets(w http.ResponseWriter) {
	type bucket struct{ Name string }
	var res struct {
		XMLName xml.Name `xml:"ListAllMyBucketsResult"`
		Buckets []bucket `xml:"Buckets>Bucket"`
	}
	f.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(f.buckets)) {
		res.Buckets = append(res.Buckets, bucket{name})
	}
	f.mu.Unlock()
	_ = xml.NewEncoder(w).Encode(res)
}

func etag(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // see the import
	return `"` + hex.EncodeToString(sum[:]) + `"`
}
