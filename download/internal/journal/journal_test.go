package journal_test

import (
	"bytes"
	"testing"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var header = journal.Header{Path: "a/b", Size: 1000, Version: `"e"`, Digest: "sha256:00", CRC: "crc64nvme", Boot: "b"}

func encode(h journal.Header, segments ...journal.Segment) []byte {
	out := journal.Encode(h)
	for _, s := range segments {
		out = append(out, journal.Encode(s)...)
	}
	return out
}

func TestLaterRecordsReplaceEarlierOnes(t *testing.T) {
	t.Parallel()
	data := encode(header,
		journal.Segment{Off: 500, Len: 100, Sum: 1},
		journal.Segment{Off: 0, Len: 10, Sum: 2},
		journal.Segment{Off: 500, Len: 200, Sum: 3},
		journal.Segment{Off: 800, Len: 100, Sum: 4},
		journal.Segment{Off: 800, Len: 0},
	)
	h, segments, err := journal.ReadPartial(bytes.NewReader(data))
	require.NoError(t, err)
	require.Equal(t, header, h)
	require.Equal(t, []journal.Segment{{Off: 0, Len: 10, Sum: 2}, {Off: 500, Len: 200, Sum: 3}}, segments)
}

func TestTornAndDamagedLines(t *testing.T) {
	t.Parallel()
	whole := encode(header, journal.Segment{Off: 0, Len: 10, Sum: 1}, journal.Segment{Off: 20, Len: 10, Sum: 2})
	for cut := range whole {
		_, segments, err := journal.ReadPartial(bytes.NewReader(whole[:cut]))
		switch bytes.Count(whole[:cut], []byte("\n")) {
		case 0:
			require.ErrorIs(t, err, journal.ErrNoHeader)
		case 1:
			require.NoError(t, err)
			require.Empty(t, segments)
		default:
			require.Len(t, segments, 1)
		}
	}
	_, segments, err := journal.ReadPartial(bytes.NewReader(append(encode(header), "garbage\n{\"off\":0,\"len\":9}\n"...)))
	require.NoError(t, err)
	require.Empty(t, segments, "nothing after a damaged line is believed")
}

func TestGapsAndSegmentsCoverTheFile(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, 200).Draw(t, "size")
		h := header
		h.Size = size
		records := rapid.SliceOf(rapid.Custom(func(t *rapid.T) journal.Segment {
			return journal.Segment{
				Off: rapid.Int64Range(-1, 210).Draw(t, "off"),
				Len: rapid.Int64Range(-1, 60).Draw(t, "len"),
			}
		})).Draw(t, "records")
		_, segments, err := journal.ReadPartial(bytes.NewReader(encode(h, records...)))
		require.NoError(t, err)
		cover(t, segments, size)
	})
}

// cover fails unless gaps and segments together hold each byte of the file once.
func cover(t require.TestingT, segments []journal.Segment, size int64) {
	count := make([]int, size)
	for _, s := range segments {
		for i := s.Off; i < s.End(); i++ {
			count[i]++
		}
	}
	for off, end := range journal.Gaps(segments, size) {
		require.Less(t, off, end)
		for ; off < end; off++ {
			count[off]++
		}
	}
	for i, n := range count {
		require.Equal(t, 1, n, "byte %d", i)
	}
}

func TestReadVerified(t *testing.T) {
	t.Parallel()
	data := journal.Encode(journal.Verified{Path: "x", Size: 1, MTime: 2})
	data = append(data, "{broken\n"...)
	data = append(data, journal.Encode(journal.Verified{Path: "y", Size: 3})...)
	data = append(data, journal.Encode(journal.Verified{Path: "x", Size: 5, Digest: "md5:00"})...)
	data = append(data, `{"path":"torn"}`...)
	records, count := journal.ReadVerified(bytes.NewReader(data))
	require.Equal(t, 4, count)
	require.Equal(t, map[string]journal.Verified{
		"x": {Path: "x", Size: 5, Digest: "md5:00"},
		"y": {Path: "y", Size: 3},
	}, records)
}

func FuzzReadPartial(f *testing.F) {
	f.Add(encode(header, journal.Segment{Off: 0, Len: 10, Sum: 1}))
	f.Add([]byte(`{"path":"a","size":9223372036854775807,"crc":"x"}` + "\n" + `{"off":9223372036854775807,"len":1}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, segments, err := journal.ReadPartial(bytes.NewReader(data))
		if err != nil {
			require.Empty(t, segments)
			return
		}
		at := int64(0)
		for _, s := range segments {
			require.Positive(t, s.Len)
			require.GreaterOrEqual(t, s.Off, at)
			require.LessOrEqual(t, s.End(), h.Size)
			at = s.End()
		}
		if h.Size < 1<<16 {
			cover(t, segments, h.Size)
		}
	})
}

func FuzzReadVerified(f *testing.F) {
	f.Add(journal.Encode(journal.Verified{Path: "x", Size: 1, MTime: 2, Version: "v", Digest: "d"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, count := journal.ReadVerified(bytes.NewReader(data))
		require.LessOrEqual(t, len(records), count)
		for path, v := range records {
			require.Equal(t, path, v.Path)
			again, _ := journal.ReadVerified(bytes.NewReader(journal.Encode(v)))
			require.Equal(t, v, again[path])
		}
	})
}
