package s3test

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
)

// A Part is one of an upload in parts, with base64 of its checksums.
type Part struct {
	PartNumber     int
	Size           int
	ChecksumCRC32  string `xml:",omitempty"`
	ChecksumCRC32C string `xml:",omitempty"`
	ChecksumSHA256 string `xml:",omitempty"`
}

type attributesResult struct {
	XMLName     xml.Name `xml:"GetObjectAttributesResponse"`
	ETag        string
	ObjectSize  int
	ObjectParts *partsResult
}

type partsResult struct {
	IsTruncated          bool
	NextPartNumberMarker int `xml:",omitempty"`
	TotalPartsCount      int `xml:"PartsCount"`
	Part                 []Part
}

// attributes answers GetObjectAttributes, with at most page parts at a time.
func (o Object) attributes(w http.ResponseWriter, r *http.Request, page int) {
	res := attributesResult{ETag: strings.Trim(o.ETag, `"`), ObjectSize: len(o.Data)}
	if o.Parts != nil {
		after, _ := strconv.Atoi(r.Header.Get("X-Amz-Part-Number-Marker")) // "" is the beginning
		parts := o.Parts[after:]
		res.ObjectParts = &partsResult{TotalPartsCount: len(o.Parts), Part: parts}
		if page > 0 && len(parts) > page {
			res.ObjectParts.Part, res.ObjectParts.IsTruncated = parts[:page], true
			res.ObjectParts.NextPartNumberMarker = after + page
		}
	}
	_ = xml.NewEncoder(w).Encode(res) // a client that went away is no concern of the fake
}
