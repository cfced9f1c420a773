package safetensors_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const two = `{"__metadata__":{"format":"pt"},` +
	`"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]},` +
	`"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}}`

func parse(header string, data int64) (*safetensors.Header, error) {
	return safetensors.Parse([]byte(header), 8+int64(len(header))+data)
}

func TestParse(t *testing.T) {
	t.Parallel()
	h, err := parse(two, 12)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"format": "pt"}, h.Metadata)
	require.Equal(t, []safetensors.Tensor{
		{Name: "a", DType: "BF16", Shape: []int64{1, 2}, Begin: 0, End: 4},
		{Name: "b", DType: "F32", Shape: []int64{2}, Begin: 4, End: 12},
	}, h.Tensors)
	require.Equal(t, int64(8+len(two)), h.Data)
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header string
		data   int64
	}{
		"no tensors":       {`{}`, 0},
		"padding":          {two + "    ", 12},
		"scalar":           {`{"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]}}`, 8},
		"empty tensor":     {`{"a":{"dtype":"F64","shape":[0,7],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1},
		"half a byte each": {`{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}`, 2},
		"a newer dtype":    {`{"a":{"dtype":"Q7","shape":[4],"data_offsets":[0,5]}}`, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parse(c.header, c.data)
			require.NoError(t, err)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		header string
		data   int64
	}{
		"does not begin with {":       {`[]`, 0},
		"is not JSON":                 {`{"a":`, 0},
		"11 of 12":                    {two, 11},
		"belong to none":              {two, 13},
		"overlap or leave a gap":      {`{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2},
		`"b" begins at byte 0`:        {`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 2},
		"before it begins":            {`{"a":{"dtype":"U8","shape":[1],"data_offsets":[2,1]}}`, 2},
		"instead of the 4 of F32":     {`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}}`, 3},
		"instead of the -1 of F32":    {`{"a":{"dtype":"F32","shape":[9223372036854775807,8],"data_offsets":[0,3]}}`, 3},
		"lacks dtype or data_offsets": {`{"a":{"shape":[1],"data_offsets":[0]}}`, 0},
		`tensor "a"`:                  {`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,1]}}`, 1},
		"__metadata__":                {`{"__metadata__":[1]}`, 0},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := parse(c.header, c.data)
			if want == "11 of 12" {
				require.ErrorIs(t, err, safetensors.ErrTruncated)
				want = fmt.Sprintf("%d of %d bytes", 8+len(c.header)+11, 8+len(c.header)+12)
			}
			require.ErrorContains(t, err, want)
		})
	}
}

func TestHeaderLen(t *testing.T) {
	t.Parallel()
	le := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	n, err := safetensors.HeaderLen(le(100), 108)
	require.NoError(t, err)
	require.Equal(t, int64(100), n)
	for want, c := range map[string]struct {
		first []byte
		size  int64
	}{
		"too few":                {le(2)[:3], 3},
		"of 109 bytes in a file": {le(109), 116},
		"at most 100000000":      {le(safetensors.MaxHeader + 1), 1 << 40},
		"a header of 1 bytes":    {le(1), 100},
		"Git LFS pointer":        {[]byte("version https"), 134},
		"at most 100000000 ":     {[]byte("<!DOCTYPE html>"), 5000},
	} {
		_, err := safetensors.HeaderLen(c.first, c.size)
		require.ErrorContains(t, err, strings.TrimSpace(want))
	}
}

// A header that was made to fit is accepted; one byte less or more of data is refused.
func TestSizeDecides(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		entries, end := map[string]any{}, int64(0)
		for i := range rapid.IntRange(1, 20).Draw(t, "tensors") {
			n := rapid.Int64Range(1, 1000).Draw(t, "elements")
			entries[fmt.Sprint("t", i)] = map[string]any{"dtype": "BF16", "shape": []int64{n}, "data_offsets": []int64{end, end + 2*n}}
			end += 2 * n
		}
		header, err := json.Marshal(entries)
		require.NoError(t, err)
		h, err := parse(string(header), end)
		require.NoError(t, err)
		require.Len(t, h.Tensors, len(entries))
		_, err = parse(string(header), end-1)
		require.ErrorIs(t, err, safetensors.ErrTruncated)
		_, err = parse(string(header), end+1)
		require.Error(t, err)
	})
}

// Whatever the bytes are, what is accepted covers the file exactly.
func FuzzParse(f *testing.F) {
	f.Add([]byte(two), int64(12))
	f.Add([]byte(`{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}`), int64(2))
	f.Add([]byte(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[-4,0]}}`), int64(0))
	f.Fuzz(func(t *testing.T, header []byte, data int64) {
		if data < 0 || data > 1<<40 {
			return
		}
		h, err := safetensors.Parse(header, 8+int64(len(header))+data)
		if err != nil {
			return
		}
		end := int64(0)
		for _, tensor := range h.Tensors {
			require.Equal(t, end, tensor.Begin)
			end = tensor.End
		}
		require.Equal(t, data, end)
	})
}
