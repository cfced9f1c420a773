package crc_test

import (
	"encoding/hex"
	"testing"

	"github.com/spinup-llm/spinup/download/internal/crc"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var names = []string{"crc32", "crc32c", "crc64nvme"}

func TestCombinedPartsEqualTheWhole(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind, ok := crc.Lookup(rapid.SampledFrom(names).Draw(t, "kind"))
		require.True(t, ok)
		data := rapid.SliceOfN(rapid.Byte(), 0, 4096).Draw(t, "data")
		cuts := rapid.SliceOf(rapid.IntRange(0, len(data))).Draw(t, "cuts")

		var combined uint64
		rest := data
		for _, cut := range cuts {
			part := rest[:min(cut, len(rest))]
			combined = kind.Combine(combined, kind.Update(0, part), int64(len(part)))
			rest = rest[len(part):]
		}
		combined = kind.Combine(combined, kind.Update(0, rest), int64(len(rest)))
		require.Equal(t, kind.Update(0, data), combined)
	})
}

func TestSumsAreThoseOfTheDigest(t *testing.T) {
	t.Parallel()
	data := []byte("123456789")
	want := map[string]string{"crc32": "cbf43926", "crc32c": "e3069283", "crc64nvme": "ae8b14860a799888"}
	for _, name := range names {
		kind, ok := crc.Lookup(name)
		require.True(t, ok)
		sum := kind.Bytes(kind.Update(0, data))
		require.Equal(t, want[name], hex.EncodeToString(sum))
		require.True(t, source.Digest{Algorithm: name, Hex: want[name]}.Equal(sum))
	}
}

func TestCombineOverGigabytes(t *testing.T) {
	t.Parallel()
	for _, name := range names {
		kind, _ := crc.Lookup(name)
		// 2^33 zero bytes, by doubling: no sum of ours is computed over that many.
		sum, n := kind.Update(0, make([]byte, 1<<20)), int64(1<<20)
		for ; n < 1<<33; n *= 2 {
			sum = kind.Combine(sum, sum, n)
		}
		half := kind.Update(0, make([]byte, 1<<20))
		parts := uint64(0)
		for range 1 << 13 {
			parts = kind.Combine(parts, half, 1<<20)
		}
		require.Equal(t, sum, parts, name)
	}
}

func TestUnknownKind(t *testing.T) {
	t.Parallel()
	_, ok := crc.Lookup("sha256")
	require.False(t, ok)
}
