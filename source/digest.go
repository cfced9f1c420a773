package source

import (
	"crypto/md5"  //nolint:gosec // services offer it; it finds damage, not attackers
	"crypto/sha1" //nolint:gosec // git names its blobs by it
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"strconv"

	"github.com/minio/crc64nvme"
)

// A Digest is an algorithm and a value, such as sha256:9f86d0….
type Digest struct {
	Algorithm string // "sha256", "git-sha1", "md5", "crc32", "crc32c", "crc64nvme", or what Pieces makes of one
	Hex       string // lower case; checksums are big-endian, as services print them; "" when told later, see Digester
}

// String returns "algorithm:hex", or "" while the value is not known.
func (d Digest) String() string {
	if !d.Known() {
		return ""
	}
	return d.Algorithm + ":" + d.Hex
}

// Known reports whether there is a value to compare with.
func (d Digest) Known() bool { return d.Hex != "" }

// NewHash returns a hash for the digest's algorithm, or nil when unknown.
// The size is needed because a git blob id covers it.
func (d Digest) NewHash(size int64) hash.Hash {
	switch d.Algorithm {
	case "sha256":
		return sha256.New()
	case "git-sha1":
		return newGitBlob(size)
	case "md5":
		return md5.New() //nolint:gosec // see the import
	case "crc32":
		return crc32.NewIEEE()
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "crc64nvme":
		return crc64nvme.New()
	default:
		return newPieces(d.Algorithm)
	}
}

// Equal reports, in constant time, whether sum (what Sum(nil) of the hash returned) is the
// digest's value.
func (d Digest) Equal(sum []byte) bool {
	want, err := hex.DecodeString(d.Hex)
	return err == nil && len(want) > 0 && subtle.ConstantTimeCompare(want, sum) == 1
}

// gitBlob is the SHA-1 of "blob SIZE\x00" and the content.
type gitBlob struct {
	hash.Hash
	header string
}

func newGitBlob(size int64) hash.Hash {
	g := &gitBlob{Hash: sha1.New(), header: "blob " + strconv.FormatInt(size, 10) + "\x00"} //nolint:gosec // see the import
	g.Reset()
	return g
}

// Reset implements hash.Hash.
func (g *gitBlob) Reset() {
	g.Hash.Reset()
	_, _ = g.Write([]byte(g.header)) // a hash never fails
}
