package source

import (
	"hash"
	"math"
	"strconv"
	"strings"
)

// Pieces returns the name of the algorithm with which uploads in parts are digested: the
// digest, in that algorithm, of the digests of pieces of so many bytes, of which the last may be
// shorter. It is written "md5*8388608".
func Pieces(algorithm string, size int64) string {
	return algorithm + "*" + strconv.FormatInt(size, 10)
}

// pieces digests pieces of a stream, and those digests.
type pieces struct {
	algorithm string
	each      int64
	now       hash.Hash // of the piece at hand
	left      int64     // bytes that it lacks
	sums      []byte    // of those before
}

// newPieces returns nil for what is not of the form that Pieces has.
func newPieces(name string) hash.Hash {
	algorithm, size, ok := strings.Cut(name, "*")
	each, err := strconv.ParseInt(size, 10, 64)
	if !ok || err != nil || each <= 0 || each == math.MaxInt64 {
		return nil
	}
	now := (Digest{Algorithm: algorithm}).NewHash(each)
	if now == nil || algorithm == "git-sha1" {
		return nil
	}
	return &pieces{algorithm: algorithm, each: each, now: now, left: each}
}

// Write implements io.Writer. It never fails.
func (p *pieces) Write(b []byte) (n int, err error) {
	n = len(b)
	for int64(len(b)) >= p.left {
		_, _ = p.now.Write(b[:p.left])
		p.sums, b = p.now.Sum(p.sums), b[p.left:]
		p.now.Reset()
		p.left = p.each
	}
	_, _ = p.now.Write(b)
	p.left -= int64(len(b))
	return n, nil
}

// Sum implements hash.Hash.
func (p *pieces) Sum(b []byte) []byte {
	whole := (Digest{Algorithm: p.algorithm}).NewHash(0)
	_, _ = whole.Write(p.sums)
	if p.left < p.each || len(p.sums) == 0 {
		_, _ = whole.Write(p.now.Sum(nil))
	}
	return whole.Sum(b)
}

// Reset implements hash.Hash.
func (p *pieces) Reset() {
	p.now.Reset()
	p.left, p.sums = p.each, nil
}

// Size implements hash.Hash.
func (p *pieces) Size() int { return p.now.Size() }

// BlockSize implements hash.Hash.
func (p *pieces) BlockSize() int { return p.now.BlockSize() }
