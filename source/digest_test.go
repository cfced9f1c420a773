package source_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// The values are those of sha256sum, git hash-object, md5sum, and the check values of the
// catalogue of CRCs for "123456789".
func TestDigests(t *testing.T) {
	t.Parallel()
	for algorithm, sum := range map[string]string{
		"sha256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
		"git-sha1":  "e2e107ac61ac259b87c544f6e7a4eb03422c6c21",
		"md5":       "25f9e794323b453885f5181f1b624d0b",
		"crc32":     "cbf43926",
		"crc32c":    "e3069283",
		"crc64nvme": "ae8b14860a799888",
	} {
		d := source.Digest{Algorithm: algorithm, Hex: sum}
		h := d.NewHash(9)
		for range 2 { // the second time after Reset
			_, _ = io.WriteString(h, "123456789")
			require.True(t, d.Equal(h.Sum(nil)), "%s: %x", algorithm, h.Sum(nil))
			_, _ = io.WriteString(h, "0")
			require.False(t, d.Equal(h.Sum(nil)), algorithm)
			h.Reset()
		}
		require.Equal(t, algorithm+":"+sum, d.String())
	}
}

func TestNoDigest(t *testing.T) {
	t.Parallel()
	var none source.Digest
	require.Nil(t, none.NewHash(1))
	require.Empty(t, none.String())
	require.False(t, none.Equal(nil))
	require.Nil(t, source.Digest{Algorithm: "rot13"}.NewHash(1))
	require.False(t, source.Digest{Algorithm: "md5", Hex: "no hex"}.Equal([]byte{1}))
}

func ExampleDigest() {
	want := source.Digest{Algorithm: "crc32c", Hex: "e3069283"}
	h := want.NewHash(9)
	fmt.Fprint(h, "123456789")
	fmt.Println(want, want.Equal(h.Sum(nil)))
	// Output: crc32c:e3069283 true
}
