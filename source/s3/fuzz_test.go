package s3_test

import (
	"html"
	"net/http"
	"regexp"
	"testing"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

// Only the range that was asked for, or the whole file, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	srctest.Answers(f, false, func(a srctest.Answer, file source.File, off, n int64) error {
		return s3.CheckAnswer(a.Length, a.Range, a.Coding, file, off, n)
	})
}

func FuzzPause(f *testing.F) { srctest.Pauses(f, s3.Pause) }

// Whatever the service says about the parts of an object, there is a digest that can be made, none,
// or an error of a kind; and no digest of an object with another ETag.
func FuzzAttributes(f *testing.F) {
	const etag = "d41d8cd98f00b204e9800998ecf8427e-2"
	parts := func(more string) string {
		return "<GetObjectAttributesResponse><ETag>" + etag + "</ETag><ObjectParts>" + more + "</ObjectParts></GetObjectAttributesResponse>"
	}
	part := func(size, sum string) string {
		return "<Part><Size>" + size + "</Size><ChecksumCRC32C>" + sum + "</ChecksumCRC32C></Part>"
	}
	f.Add(parts(part("4", "AQIDBA==") + part("4", "BAMCAQ==")))
	f.Add(parts(part("-4", "AQIDBA==") + part("12", "BAMCAQ==") + "<IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker>"))
	f.Add(parts(part("9223372036854775807", "AQIDBA==") + part("9", "?")))
	f.Add("<GetObjectAttributesResponse><ETag>another</ETag></GetObjectAttributesResponse>")
	head := http.Header{"Etag": {`"` + etag + `"`}, "X-Amz-Checksum-Crc32c": {"AQIDBA==-2"}, "X-Amz-Checksum-Type": {"COMPOSITE"}}
	made := regexp.MustCompile(`^crc32c?:[0-9a-f]{8}$`) // there is no size of parts in these headers
	f.Fuzz(func(t *testing.T, body string) {
		src := said{status: http.StatusOK, header: head, body: body}.source(t)
		d, err := src.(source.Digester).Digest(t.Context(), source.File{Path: "a", Size: 8, Version: `"` + etag + `"`})
		switch {
		case err != nil:
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
		case d.Known():
			require.Regexp(t, made, d.String())
			require.Contains(t, html.UnescapeString(body), etag)
		}
	})
}
