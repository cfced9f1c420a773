//go:build linux

package servers_test

import (
	"os"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/servers"
	"github.com/stretchr/testify/require"
)

func TestRequestsAreTheLinesOfTheLog(t *testing.T) {
	t.Parallel()
	var s servers.Server
	n, err := s.Requests()
	require.NoError(t, err)
	require.Zero(t, n, "there is no log")
	require.NoError(t, os.WriteFile(servers.Logs(&s, t.TempDir()), []byte("GET /a\nGET /b\n"), 0o600))
	n, err = s.Requests()
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
}
