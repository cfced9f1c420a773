package local_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestCreateFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := open(t, dir).(source.Creator)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	err := to.Create(t.Context(), source.File{Path: "file/f"}, strings.NewReader(""))
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "not a directory")
}
