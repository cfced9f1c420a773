package store

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// mostKeys is how many entries a page has at most.
const mostKeys = 1000

type listing struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Delimiter             string `xml:",omitempty"`
	EncodingType          string `xml:",omitempty"`
	StartAfter            string `xml:",omitempty"`
	MaxKeys, KeyCount     int
	IsTruncated           bool
	ContinuationToken     string         `xml:",omitempty"`
	NextContinuationToken string         `xml:",omitempty"`
	Contents              []listedObject `xml:",omitempty"`
	CommonPrefixes        []listedPrefix `xml:",omitempty"`
}

type listedObject struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

type listedPrefix struct{ Prefix string }

// list answers ListObjectsV2. A page goes on after the last entry of the one before, which
// is its token.
func (s *Store) list(w http.ResponseWriter, r *http.Request, m *model) {
	q := r.URL.Query()
	if q.Get("list-type") != "2" {
		notImplemented.answer(w)
		return
	}
	page := listing{
		Name: bucket, Prefix: q.Get("prefix"), Delimiter: q.Get("delimiter"), EncodingType: q.Get("encoding-type"),
		StartAfter: q.Get("start-after"), ContinuationToken: q.Get("continuation-token"), MaxKeys: mostKeys,
	}
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil && n >= 0 {
		page.MaxKeys = min(n, mostKeys)
	}
	page.fill(m, s.modified)
	if page.EncodingType == "url" {
		page.encode()
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write([]byte(xml.Header)) // who has gone away does not miss it
	_ = xml.NewEncoder(w).Encode(page)
}

func (page *listing) fill(m *model, modified time.Time) {
	after := max(page.StartAfter, page.ContinuationToken)
	for _, f := range m.files {
		entry := m.prefix + f.Path
		rest, within := strings.CutPrefix(entry, page.Prefix)
		folder, _, deeper := strings.Cut(rest, page.Delimiter)
		if deeper = deeper && page.Delimiter != ""; deeper {
			entry = page.Prefix + folder + page.Delimiter
		}
		if !within || entry <= after {
			continue
		}
		if page.KeyCount == page.MaxKeys {
			page.IsTruncated, page.NextContinuationToken = page.MaxKeys > 0, after
			return
		}
		after = entry
		page.KeyCount++
		if deeper {
			page.CommonPrefixes = append(page.CommonPrefixes, listedPrefix{entry})
			continue
		}
		page.Contents = append(page.Contents, listedObject{
			Key: entry, LastModified: modified.UTC().Format(time.RFC3339), ETag: etag(f), Size: f.Size, StorageClass: "STANDARD",
		})
	}
}

var escaped = strings.NewReplacer("+", "%20", "%2F", "/")

// encode is for names that XML cannot hold; the clients ask for it always.
func (page *listing) encode() {
	all := []*string{&page.Prefix, &page.Delimiter, &page.StartAfter}
	for i := range page.Contents {
		all = append(all, &page.Contents[i].Key)
	}
	for i := range page.CommonPrefixes {
		all = append(all, &page.CommonPrefixes[i].Prefix)
	}
	for _, s := range all {
		*s = escaped.Replace(url.QueryEscape(*s))
	}
}
