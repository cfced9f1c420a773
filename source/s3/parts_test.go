package s3_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func crc(poly uint32, data []byte) []byte {
	return binary.BigEndian.AppendUint32(nil, crc32.Checksum(data, crc32.MakeTable(poly)))
}

// inParts is an object as an upload in parts of these sizes leaves it.
func inParts(algorithm string, poly uint32, data []byte, sizes ...int) s3test.Object {
	o := s3test.Object{Data: data, ETag: fmt.Sprintf(`"d41d8cd98f00b204e9800998ecf8427e-%d"`, len(sizes)), Algorithm: algorithm, Type: "COMPOSITE"}
	for i, n := range sizes {
		sum := base64.StdEncoding.EncodeToString(crc(poly, data[:n]))
		p := s3test.Part{PartNumber: i + 1, Size: n}
		if algorithm == "CRC32" {
			p.ChecksumCRC32 = sum
		} else {
			p.ChecksumCRC32C = sum
		}
		o.Parts, data = append(o.Parts, p), data[n:]
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
		m := resolve(t, fake.Env())
		require.Equal(r, "crc32:"+hex.EncodeToString(crc(crc32.IEEE, data)), m.Files[0].Digest.String())
		require.Equal(r, "crc32c:"+hex.EncodeToString(crc(crc32.Castagnoli, data)), m.Files[1].Digest.String())
	})
}

// Where the parts do not make up the object, or nobody tells them, there is no digest: a
// guess would call good bytes wrong.
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
	for name, o := range map[string]s3test.Object{"short": short, "long": long, "alien": alien, "none": none, "sha256": sha} {
		fake := s3test.NewFake(t)
		fake.PutObject("models", "llama/a", o)
		require.Empty(t, resolve(t, fake.Env()).Files[0].Digest, name)
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
		require.Empty(t, resolve(t, fake.Env()).Files[0].Digest, "%d", status)
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
	_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "changed while it was being listed")
}
