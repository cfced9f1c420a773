package sourcetest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Of many that create one file one wins, and what it has stored stays.
func testCreate(t *testing.T, h Harness) {
	t.Helper()
	to, ok := h.New(t).Source(t).(source.Creator)
	require.True(t, ok, "Harness.Creates is for a source.Creator")
	const size = 1 << 16
	var won atomic.Value
	var wins atomic.Int32
	var g errgroup.Group
	for _, letter := range "abcdefgh" {
		g.Go(func() error {
			text := strings.Repeat(string(letter), size)
			sum := sha256.Sum256([]byte(text))
			f := source.File{Path: "a/f", Size: size, Digest: source.Digest{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
			err := to.Create(t.Context(), f, strings.NewReader(text))
			if err == nil {
				wins.Add(1)
				won.Store(text)
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		})
	}
	require.NoError(t, g.Wait())
	require.EqualValues(t, 1, wins.Load())
	m := resolve(t, to)
	require.Equal(t, []string{"a/f"}, pathsOf(m), "nothing else stays")
	require.Equal(t, won.Load(), string(read(t, to, m.Files[0], 0, -1)))
	require.ErrorIs(t, to.Create(t.Context(), source.File{Path: "../f"}, strings.NewReader("")), lifecycle.Invalid)
}
