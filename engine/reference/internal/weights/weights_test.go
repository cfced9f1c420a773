package weights_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// write makes a file of a header and its data.
func write(tb testing.TB, path, header string, data []byte) string {
	tb.Helper()
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	out = append(append(out, header...), data...)
	require.NoError(tb, os.WriteFile(path, out, 0o600))
	return path
}

func TestReadTensors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var data []byte
	for _, f := range []float32{1.5, -2, 3.140625} {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	for _, f := range []float32{1.5, -2, 3.140625} {
		data = binary.LittleEndian.AppendUint16(data, uint16(math.Float32bits(f)>>16))
	}
	// 1.5, the smallest subnormal, the largest number, infinity, not a number, -0
	for _, h := range []uint16{0x3e00, 0x0001, 0x7bff, 0x7c00, 0x7e01, 0x8000} {
		data = binary.LittleEndian.AppendUint16(data, h)
	}
	data = append(data, make([]byte, 8)...)
	write(t, filepath.Join(dir, "model.safetensors"), `{"__metadata__":{"format":"pt"},
		"f32":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},
		"bf16":{"dtype":"BF16","shape":[3,1],"data_offsets":[12,18]},
		"f16":{"dtype":"F16","shape":[2,3],"data_offsets":[18,30]},
		"i64":{"dtype":"I64","shape":[1],"data_offsets":[30,38]},
		"empty":{"dtype":"F32","shape":[0],"data_offsets":[38,38]}}  `, data)
	set, err := weights.Open(dir)
	require.NoError(t, err)
	defer set.Close()

	read := 0
	floats := func(name string) []float32 {
		tensor, ok := set.Tensor(name)
		require.True(t, ok)
		out, readErr := tensor.Floats(t.Context(), func(n int) { read += n })
		require.NoError(t, readErr)
		return out
	}
	require.Equal(t, []float32{1.5, -2, 3.140625}, floats("f32"))
	require.Equal(t, []float32{1.5, -2, 3.140625}, floats("bf16"))
	half := floats("f16")
	require.True(t, math.IsNaN(float64(half[4])))
	require.True(t, math.Signbit(float64(half[5])))
	half[4] = 0
	require.Equal(t, []float32{1.5, 1.0 / (1 << 24), 65504, float32(math.Inf(1)), 0, 0}, half)
	require.Empty(t, floats("empty"))
	require.Equal(t, 30, read)

	bf16, _ := set.Tensor("bf16")
	require.True(t, bf16.Is(3, 1))
	raw, err := bf16.BF16(t.Context(), func(int) {})
	require.NoError(t, err)
	require.Equal(t, []uint16{0x3fc0, 0xc000, 0x4049}, raw)

	f32, _ := set.Tensor("f32")
	_, err = f32.BF16(t.Context(), func(int) {})
	require.ErrorIs(t, err, lifecycle.Invalid)
	i64, _ := set.Tensor("i64")
	_, err = i64.Floats(t.Context(), func(int) {})
	require.ErrorContains(t, err, "I64")
	_, ok := set.Tensor("none")
	require.False(t, ok)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f32.Floats(ctx, func(int) {})
	require.ErrorIs(t, err, lifecycle.Canceled)
}

func TestBadFiles(t *testing.T) {
	t.Parallel()
	tensor := func(s string) string { return `{"t":` + s + `}` }
	cases := map[string]struct {
		header string
		data   int
		want   string
	}{
		"not JSON":      {`{"t":`, 0, "not JSON"},
		"cut short":     {tensor(`{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`), 4, "truncated"},
		"hole":          {tensor(`{"dtype":"F32","shape":[1],"data_offsets":[4,8]}`), 8, "gap"},
		"without a top": {"", 0, "header of 0 bytes"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "model.safetensors"), c.header, make([]byte, c.data))
			_, err := weights.Open(dir)
			require.ErrorIs(t, err, lifecycle.Corrupt)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// TestShrinks: a file that loses its end after it was opened is an error, not a crash.
func TestShrinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "model.safetensors"), `{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, make([]byte, 8))
	set, err := weights.Open(dir)
	require.NoError(t, err)
	defer set.Close()
	require.NoError(t, os.Truncate(path, 20))
	tensor, _ := set.Tensor("t")
	_, err = tensor.Floats(t.Context(), func(int) {})
	require.ErrorIs(t, err, lifecycle.Corrupt)
}

func TestShards(t *testing.T) {
	t.Parallel()
	header := `{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`
	index := func(v any) string {
		text, err := json.Marshal(map[string]any{"weight_map": v})
		require.NoError(t, err)
		return string(text)
	}
	cases := map[string]struct {
		index string
		kind  lifecycle.Kind
		want  string
	}{
		"none":         {"", lifecycle.MissingFile, "model.safetensors.index.json and its shards"},
		"not JSON":     {"{", lifecycle.Corrupt, "unexpected end"},
		"empty":        {index(map[string]string{}), lifecycle.Corrupt, "weight_map is empty"},
		"escape":       {index(map[string]string{"t": "../a.safetensors"}), lifecycle.Corrupt, "beside the index"},
		"absolute":     {index(map[string]string{"t": "/a.safetensors"}), lifecycle.Corrupt, "beside the index"},
		"missing":      {index(map[string]string{"t": "b.safetensors"}), lifecycle.MissingFile, "b.safetensors"},
		"other tensor": {index(map[string]string{"u": "a.safetensors"}), lifecycle.Corrupt, `tensor "u"`},
		"good":         {index(map[string]string{"t": "a.safetensors"}), lifecycle.Unknown, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a.safetensors"), header, []byte{1})
			if c.index != "" {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(c.index), 0o600))
			}
			set, err := weights.Open(dir)
			if c.want == "" {
				require.NoError(t, err)
				require.NoError(t, set.Close())
				return
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`), []byte{1, 2, 3, 4})
	f.Add([]byte(`{"a":{"dtype":"BF16","shape":[0,7],"data_offsets":[0,0]},"b":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}`), []byte{1, 2})
	f.Fuzz(func(t *testing.T, header, data []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "model.safetensors"), string(header), data)
		set, err := weights.Open(dir)
		if err != nil {
			require.ErrorIs(t, err, lifecycle.Corrupt)
			return
		}
		defer set.Close()
		for _, name := range []string{"t", "a", "b"} {
			if tensor, ok := set.Tensor(name); ok {
				read := 0
				out, err := tensor.Floats(t.Context(), func(n int) { read += n })
				if err == nil {
					require.Len(t, out, int(tensor.Elements()))
					require.LessOrEqual(t, read, len(data))
				}
			}
		}
	})
}
