//go:build linux

package guardian_test

import (
	"os"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/guardian"
	"github.com/stretchr/testify/require"
)

const tail = " 10 10 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 4711 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 9"

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("10 (sh) S 1" + tail))
	f.Add([]byte("10 (a) b (c) Z 1" + tail))
	f.Add([]byte("10 ()"))
	f.Fuzz(func(_ *testing.T, line []byte) { guardian.ParseStat(10, line) })
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		parent   int
		over, ok bool
	}{
		"10 (sh) S 7" + tail:        {7, false, true},
		"10 (a) R 1 (c) Z 7" + tail: {7, true, true},
		"10 (leader) Z 7" + strings.Replace(tail, "0 1 0 4711", "0 3 0 4711", 1): {7, false, true},
		"10 (short) S 7 8": {},
		"":                 {},
	}
	for line, want := range tests {
		parent, over, ok := guardian.ParseStat(10, []byte(line))
		require.Equal(t, want.parent, parent, line)
		require.Equal(t, want.over, over, line)
		require.Equal(t, want.ok, ok, line)
	}
	require.Equal(t, os.Getppid(), guardian.Parent())
}

func FuzzOrder(f *testing.F) {
	f.Add("/bin/x", "a\xff", "K=v\nw", "", "vital")
	f.Fuzz(func(t *testing.T, path, arg, env, dir, vital string) {
		o := guardian.Order{Path: path, Args: []string{arg, ""}, Env: []string{env}, Dir: dir, Vital: []string{vital}}
		got, err := guardian.OrderRoundTrip(o)
		require.NoError(t, err)
		require.Equal(t, o, got)
	})
}

func FuzzDecodeOrder(f *testing.F) {
	f.Add([]byte(`{"Path":"L2Jpbi94"}`))
	f.Fuzz(func(_ *testing.T, line []byte) { _, _ = guardian.DecodeOrder(line) })
}
