package s3_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func crc(poly uint32, data []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(poly)))
}

// inParts is an object as an upload in parts of these sizes leaves it.
func inParts(algorithm string, poly uint32, data []byte, sizes ...int) s3test.Object {
	o := s3test.Object{Data: data, ETag: fmt.Sprintf(`"d41d8cd98f00b204e9800998ecf8427e-%d"`, len(sizes)), Algorithm: algorithm, Type: "COMPOSITE"}
	var sums []byte
	for i, n := range sizes {
		sums = append(sums, crc(poly, data[:n])...)
		sum := base64.StdEncoding.EncodeToString(crc(poly, data[:n]))
		p := s3test.Part{PartNumber: i + 1, Size: n}
		if algorithm == "CRC32" {
			p.ChecksumCRC32 = sum
		} else {
			p.ChecksumCRC32C = sum
		}
		o.Parts, data = append(o.Parts, p), data[n:]
	}
	o.Headers = map[string]string{
		"x-amz-checksum-" + strings.ToLower(algorithm): base64.StdEncoding.EncodeToString(crc(poly, sums)) + "-" + strconv.Itoa(len(sizes)),
		"x-amz-checksum-type":                          "COMPOSITE",
	}
	return o
}

// Of the checksums of parts, however large these are, comes that of the whole.
func TestComposite(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 3000).Draw(r, "data")
		var sizes []int
		for left := len(data); left > 0; {
			n := rapid.IntRange(1, left).Draw(r, "part")
			sizes, left = append(sizes, n), left-n
		}
		fake := s3test.NewFake(t)
		fake.PartsPage = 7
		fake.PutObject("models", "llama/a", inParts("CRC32", crc32.IEEE, data, sizes...))
		fake.PutObject("models", "llama/b", inParts("CRC32C", crc32.Castagnoli, data, sizes...))
		src := open(t, "s3://models/llama", fake.Env())
		m, err := src.Resolve(t.Context())
		require.NoError(r, err)
		require.Equal(r, "crc32:"+hex.EncodeToString(crc(crc32.IEEE, data)), told(t, src, m.Files[0]).String())
		require.Equal(r, "crc32c:"+hex.EncodeToString(crc(crc32.Castagnoli, data)), told(t, src, m.Files[1]).String())
	})
}

// Where the parts do not make up the object, there is no digest of the whole, and where nobody
// tells their size either none at all: a guess would call good bytes wrong.
func TestCompositeUnknown(t *testing.T) {
	t.Parallel()
	whole := func() s3test.Object { return inParts("CRC32", crc32.IEEE, []byte("0123456789"), 4, 4, 2) }
	short, long, alien, none := whole(), whole(), whole(), whole()
	short.Parts = short.Parts[:2]
	long.Parts = append(long.Parts, long.Parts[0])
	alien.Parts[1].ChecksumCRC32 = "?"
	none.Parts = nil
	sha := s3test.Object{Data: []byte("01"), ETag: whole().ETag, Algorithm: "SHA256", Type: "COMPOSITE", Parts: []s3test.Part{
		{PartNumber: 1, Size: 2, ChecksumSHA256: base64.StdEncoding.EncodeToString(make([]byte, 32))},
	}}
	for name, c := range map[string]struct {
		object    s3test.Object
		algorithm string
	}{"short": {short, ""}, "long": {long, "crc32*4"}, "alien": {alien, "crc32*4"}, "none": {none, ""}, "sha256": {sha, ""}} {
		fake := s3test.NewFake(t)
		fake.PutObject("models", "llama/a", c.object)
		require.Equal(t, c.algorithm, digestOfA(t, fake).Algorithm, name)
	}
	for _, status := range []int{http.StatusForbidden, http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotImplemented} {
		fake := s3test.NewFake(t)
		fake.PutObject("models", "llama/a", whole())
		fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Query().Has("attributes") {
				s3test.Fail(w, status, "Refused", "no such request")
				return true
			}
			return false
		}
		require.Equal(t, "crc32*4", digestOfA(t, fake).Algorithm, "%d", status)
	}
}

// A list of parts that never ends does, and that nobody answers is no answer.
func TestCompositeOdd(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.PutObject("models", "llama/a", inParts("CRC32", crc32.IEEE, []byte("0123456789"), 4, 4, 2))
	pages := 0
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if !r.URL.Query().Has("attributes") {
			return false
		}
		pages++
		w.Header().Set("ETag", "x")
		fmt.Fprintf(w, `<GetObjectAttributesResponse><ETag>d41d8cd98f00b204e9800998ecf8427e-3</ETag><ObjectParts>
			<IsTruncated>true</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker></ObjectParts></GetObjectAttributesResponse>`, pages)
		return true
	}
	require.Equal(t, "crc32*4", digestOfA(t, fake).Algorithm)
	require.Equal(t, 10_000, pages)
}

// digestOfA resolves the folder of a fake and asks for the digest of its file a.
func digestOfA(tb testing.TB, fake *s3test.Fake) source.Digest {
	tb.Helper()
	src := open(tb, "s3://models/llama", fake.Env())
	m, err := src.Resolve(tb.Context())
	require.NoError(tb, err)
	require.False(tb, m.Files[0].Digest.Known(), "nothing is asked before the bytes are")
	return told(tb, src, m.Files[0])
}

// Digests of the digests of parts are told where the parts are of one size: those that S3 stores,
// and the ETags of servers that are known to make them so.
func TestPieces(t *testing.T) {
	t.Parallel()
	data := []byte("0123456789")
	fold := func(hash func([]byte) []byte, sizes ...int) []byte {
		var sums []byte
		for rest := data; len(sizes) > 0; sizes = sizes[1:] {
			sums, rest = append(sums, hash(rest[:sizes[0]])...), rest[sizes[0]:]
		}
		return hash(sums)
	}
	sha := func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	md := func(b []byte) []byte { s := md5.Sum(b); return s[:] }
	stored := func(server string, sizes ...int) s3test.Object {
		o := s3test.Object{Data: data, ETag: fmt.Sprintf(`"%x-%d"`, fold(md, sizes...), len(sizes)), Headers: map[string]string{"Server": server}}
		for i, n := range sizes {
			o.Parts = append(o.Parts, s3test.Part{PartNumber: i + 1, Size: n})
		}
		return o
	}
	summed := stored("", 4, 4, 2)
	summed.Algorithm, summed.Type = "SHA256", "COMPOSITE"
	summed.Headers = map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(fold(sha, 4, 4, 2)) + "-3"}
	encrypted := stored("AmazonS3", 4, 4, 2)
	encrypted.Headers["x-amz-server-side-encryption"] = "aws:kms"
	ignorant := stored("AmazonS3", 4, 4, 2)
	ignorant.Parts = nil
	for name, c := range map[string]struct {
		object s3test.Object
		want   string
	}{
		"sha256":                  {summed, "sha256*4:" + hex.EncodeToString(fold(sha, 4, 4, 2))},
		"md5":                     {stored("AmazonS3", 4, 4, 2), "md5*4:" + hex.EncodeToString(fold(md, 4, 4, 2))},
		"one part":                {stored("MinIO", 10), "md5*10:" + hex.EncodeToString(fold(md, 10))},
		"full parts":              {stored("VERSITYGW", 5, 5), "md5*5:" + hex.EncodeToString(fold(md, 5, 5))},
		"an unknown server":       {stored("Another", 4, 4, 2), ""},
		"parts of their own size": {stored("AmazonS3", 4, 3, 3), ""},
		"a long last part":        {stored("AmazonS3", 4, 6), ""},
		"KMS":                     {encrypted, ""},
		"nobody tells the parts":  {ignorant, ""},
	} {
		fake := s3test.NewFake(t)
		fake.PutObject("models", "llama/a", c.object)
		d := digestOfA(t, fake)
		require.Equal(t, c.want, d.String(), name)
		if d.Known() {
			hash := d.NewHash(int64(len(data)))
			_, err := hash.Write(data)
			require.NoError(t, err)
			require.True(t, d.Equal(hash.Sum(nil)), name)
		}
	}
}

// An object that is replaced between the listing and its attributes is no file of the model.
func TestCompositeChanges(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	o := inParts("CRC32", crc32.IEEE, []byte("0123456789"), 4, 6)
	fake.PutObject("models", "llama/a", o)
	fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Has("attributes") {
			changed := o
			changed.ETag = strings.Replace(o.ETag, "d41d", "0000", 1)
			fake.PutObject("models", "llama/a", changed)
		}
		return false
	}
	src := open(t, "s3://models/llama", fake.Env())
	m, err := src.Resolve(t.Context())
	require.NoError(t, err)
	_, err = src.(source.Digester).Digest(t.Context(), m.Files[0])
	require.ErrorIs(t, err, lifecycle.Corrupt)
	require.ErrorContains(t, err, "changed since it was listed")
}
