package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestOneOfManyCreates(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "folder")
	to, ok := open(t, "file://"+dir).(source.Creator)
	require.True(t, ok)
	var won atomic.Value
	var wins atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			text := strings.Repeat(string(rune('a'+i)), 1<<16)
			err := to.Create(t.Context(), source.File{Path: "a/f", Size: 1 << 16}, strings.NewReader(text))
			if err == nil {
				wins.Add(1)
				won.Store(text)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, wins.Load())
	data, err := os.ReadFile(filepath.Join(dir, "a/f"))
	require.NoError(t, err)
	require.Equal(t, won.Load(), string(data))
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")
}

func TestCreateFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := open(t, dir).(source.Creator)
	require.ErrorIs(t, to.Create(t.Context(), source.File{Path: "../f"}, strings.NewReader("")), lifecycle.Invalid)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	err := to.Create(t.Context(), source.File{Path: "file/f"}, strings.NewReader(""))
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "not a directory")
}
