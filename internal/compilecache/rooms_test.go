//go:build unix

package compilecache_test

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/compilecache"
	"github.com/stretchr/testify/require"
)

const ownerVariable = "SPINUP_TEST_ROOM_OWNER"

// TestMain is also the owner of a room that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVariable); dir != "" {
		own(dir)
	}
	os.Exit(m.Run())
}

func own(dir string) {
	room, err := compilecache.NewRooms(dir).Open(context.Background())
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(room.Dir(), "half"), []byte("done"), 0o600); err != nil {
		panic(err)
	}
	_, _ = os.Stdout.WriteString(room.Dir() + "\n")
	select {}
}

func TestRoomsAreOfOneStartEach(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a[b", "rooms")
	rooms := compilecache.NewRooms(dir)
	a, err := rooms.Open(t.Context())
	require.NoError(t, err)
	b, err := rooms.Open(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, a.Dir(), b.Dir())
	require.NoError(t, os.WriteFile(filepath.Join(a.Dir(), "f"), nil, 0o600))
	require.NoError(t, b.Close())
	require.NoDirExists(t, b.Dir())
	require.FileExists(t, filepath.Join(a.Dir(), "f"), "the other one stays")
	require.NoError(t, a.Close())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "only the gate")
}

// A room of a host that was killed is never taken for a cache, and goes.
func TestRoomsOfTheKilledAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), ownerVariable+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	left, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	left = filepath.Clean(left[:len(left)-1])

	rooms := compilecache.NewRooms(dir)
	while, err := rooms.Open(t.Context())
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(left, "half"), "its owner lives")
	require.NoError(t, while.Close())

	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	room, err := rooms.Open(t.Context())
	require.NoError(t, err)
	require.NoDirExists(t, left)
	require.Empty(t, read(t, room.Dir()))
	require.NoError(t, room.Close())
}
