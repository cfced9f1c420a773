package source_test

import (
	"crypto/md5"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// However it is written, a stream is digested as S3 digests parts of that size.
func TestPieces(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "data")
		size := rapid.IntRange(1, 310).Draw(t, "size")
		var sums []byte
		for rest := data; len(rest) > 0; {
			piece := rest[:min(size, len(rest))]
			sum := md5.Sum(piece)
			sums, rest = append(sums, sum[:]...), rest[len(piece):]
		}
		want := md5.Sum(sums)
		h := source.Digest{Algorithm: source.Pieces("md5", int64(size))}.NewHash(int64(len(data)))
		for range 2 { // the second time after Reset
			for rest := data; len(rest) > 0; {
				n := rapid.IntRange(0, len(rest)).Draw(t, "written")
				if _, err := h.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			require.Equal(t, want[:], h.Sum(nil))
			require.Equal(t, want[:], h.Sum(nil), "a sum changes nothing")
			h.Reset()
		}
	})
}

func TestNoPieces(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"md5*", "md5*0", "md5*-1", "md5*x", "*8", "rot13*8", "git-sha1*8", "md5*8*8", "md5*9223372036854775807"} {
		require.Nil(t, source.Digest{Algorithm: name}.NewHash(8), name)
	}
}
