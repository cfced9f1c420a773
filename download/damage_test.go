package download_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// interrupted is a download into dir of which the first n MiB, in ranges of one, have arrived.
func interrupted(t *testing.T, algorithm string, n int64) (m *download.Manager, src *memory, dir string) {
	t.Helper()
	m, dir = &download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}, t.TempDir()
	src = newMemory(map[string][]byte{"weights": random(1, 6*mib+5)}, algorithm)
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off >= n*mib {
			return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied}
		}
		return nil, nil
	}
	_, err := m.Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.Equal(t, n*mib, src.served)
	src.fault = nil
	return m, src, dir
}

// flipBit changes one bit of a file, and nothing that is known of it but the time.
func flipBit(t *testing.T, path string, at int64, bit int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	require.NoError(t, err)
	b[0] ^= 1 << bit
	_, err = f.WriteAt(b[:], at)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// What the disk lost of an unfinished file is found when the download goes on, also where no sum
// of the file is made of its bytes again, and only the range that it lay in is fetched anew.
func TestABitThatFlipsInAnUnfinishedFile(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"", "crc64nvme", "crc32c", "crc32", "sha256", "git-sha1", "md5"} {
		for name, at := range map[string]int64{
			"first byte": 0, "end of a range": 2*mib - 1, "beginning of a range": 2 * mib, "anywhere": rand.Int64N(4 * mib), "last byte": 4*mib - 1,
		} {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				t.Parallel()
				m, src, dir := interrupted(t, algorithm, 4)
				flipBit(t, unfinished(t, dir)[0], at, rand.IntN(8))
				_, err := m.Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(7*mib+5), src.served, "bit at %d", at)
			})
		}
	}
}

// So is what the disk lost of a journal.
func TestABitThatFlipsInAJournal(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"crc64nvme", "sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			m, src, dir := interrupted(t, algorithm, 3)
			kept := filepath.Join(dir, ".spinup")
			whole, err := os.ReadFile(strings.TrimSuffix(unfinished(t, dir)[0], ".partial") + ".journal")
			require.NoError(t, err)
			for range 20 {
				again, at := t.TempDir(), rand.Int64N(int64(len(whole)))
				require.NoError(t, os.CopyFS(filepath.Join(again, ".spinup"), os.DirFS(kept)))
				flipBit(t, strings.TrimSuffix(unfinished(t, again)[0], ".partial")+".journal", at, rand.IntN(8))
				before := src.served
				_, err = m.Fetch(t.Context(), src, again)
				require.NoError(t, err)
				requireFiles(t, again, src.data)
				require.GreaterOrEqual(t, src.served-before, int64(3*mib+5), "what has not arrived")
			}
		})
	}
}

// wrongs are what a winner may leave in place of data.
func wrongs(data []byte) map[string][]byte {
	return map[string][]byte{
		"a flipped bit": flipped(data), "shorter": data[:len(data)-1], "longer": append(bytes.Clone(data), 0), "empty": {},
	}
}

// Who has waited for another tool's lock of a blob does not believe what that left.
func TestHubWinnerThatLeavesWrongBytes(t *testing.T) {
	t.Parallel()
	for name, wrong := range wrongs(weights("").data["weights"]) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHubModel(t)
			winner, waits := h.lock("weights"), make(chan string, 1000)
			require.NoError(t, os.MkdirAll(filepath.Dir(winner.Path()), 0o755))
			require.NoError(t, winner.Lock())
			loser := make(chan error, 1)
			go func() { loser <- h.tryAcquire(t, func(p download.Progress) { waits <- p.Waiting }) }()
			require.Equal(t, "another download of weights", <-waits)
			require.NoError(t, os.WriteFile(h.blob("weights"), wrong, 0o600))
			require.NoError(t, winner.Unlock())
			require.NoError(t, <-loser)
			requireFiles(t, filepath.Dir(h.snapshot("weights")), h.data)
			require.Equal(t, int64(6*mib+5+2), h.served)
		})
	}
}

// Nor does who has waited for the lock of a folder believe what lies there without a record.
func TestWinnerThatLeavesWrongBytes(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"", "crc64nvme", "sha256"} {
		for name, wrong := range wrongs(weights("").data["weights"]) {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				t.Parallel()
				src, dir := weights(algorithm), t.TempDir()
				require.NoError(t, os.Mkdir(filepath.Join(dir, ".spinup"), 0o755))
				winner := flock.New(filepath.Join(dir, ".spinup/lock"))
				require.NoError(t, winner.Lock())
				m := new(download.Manager)
				for p, err := range m.Run(t.Context(), src, plan(t, m, src, dir)) {
					require.NoError(t, err)
					if p.Waiting != "" && winner.Locked() {
						require.NoError(t, os.WriteFile(filepath.Join(dir, "weights"), wrong, 0o600))
						require.NoError(t, winner.Unlock())
					}
				}
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(6*mib+5+2), src.served)
			})
		}
	}
}
