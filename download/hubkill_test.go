package download_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// acquireHub is a program that says when it begins, and brings what is at url into a cache of the hub.
func acquireHub(url, cache string) {
	src := listed(url)
	src.man.URI, src.man.Revision = "web://acme/tiny", commit
	to := source.HubCache{
		Dir: filepath.Join(cache, "models--acme--tiny"), Ref: "main", Listing: []byte("{}"), Absent: []string{"absent.json"},
	}
	for _, f := range src.man.Files {
		to.Files = append(to.Files, f.Path)
	}
	fmt.Println("begins")
	lease, err := new(download.Cache).Acquire(context.Background(), nil, &hubbed{Source: src, cache: to}, &src.man, nil, nil)
	if err != nil {
		panic(err)
	}
	_ = lease.Close()
}

// A hubVictim is a cache of the hub and what a process that is killed again and again brings to it.
type hubVictim struct {
	origin *origin
	files  map[string][]byte
	cache  string
}

// TestHubKilledAtAnyTime ends a process at random times while it brings many small files, so that it
// is hit at locks, names of blobs, links, the listing and the ref as well as at bytes.
func TestHubKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	v := &hubVictim{files: map[string][]byte{"large": random(0, 3*mib), "empty": {}}}
	for i := range 40 {
		v.files[fmt.Sprintf("d%d/f%d", i%7, i)] = random(byte(i+1), 10+i*50)
	}
	v.origin = newOrigin(t, v.files, nil, "sha256", "git-sha1")
	v.cache = t.TempDir()
	took := v.run(t, 0)
	killed, reached := 0, map[string]int{}
	for killed < kills(t, 30) {
		v.cache = t.TempDir()
		most, ended := took, v.run(t, 1+rand.N(took))
		if ended > 0 {
			took = ended // the machine has less to do by now
		}
		for ; ended == 0; ended = v.run(t, 1+rand.N(most)) {
			killed++
			reached[v.requireNothingHalfDone(t)]++
			most += took / 4 // so that one comes to its end
		}
		v.requireDone(t)
	}
	t.Logf("%d kills, of which in or after: %v", killed, reached)
}

// run returns how long the process took, or 0 when it was killed, which is after a time unless that is 0.
func (v *hubVictim) run(t *testing.T, after time.Duration) (took time.Duration) {
	t.Helper()
	cmd := helper(t.Context(), "hub", v.origin.URL, v.cache)
	cmd.Stderr, cmd.Env = nil, append(cmd.Env, "GORACE=atexit_sleep_ms=0") // else it sleeps for a second, and is hit in that
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	begun := time.Now()
	if after > 0 {
		defer time.AfterFunc(after, func() { _ = cmd.Process.Kill() }).Stop()
	}
	if err := cmd.Wait(); err != nil {
		require.ErrorContains(t, err, "killed")
		return 0
	}
	return time.Since(begun)
}

func (v *hubVictim) model(name ...string) string {
	return filepath.Join(append([]string{v.cache, "models--acme--tiny"}, name...)...)
}

// requireNothingHalfDone looks at what has a final name, and says how far it got.
func (v *hubVictim) requireNothingHalfDone(t *testing.T) (reached string) {
	t.Helper()
	reached = "locks"
	for _, f := range v.origin.files {
		if _, err := os.Stat(v.model("blobs", f.Digest.Hex)); err == nil {
			reached = "name of a blob"
			requireFile(t, v.model("blobs"), f.Digest.Hex, v.files[f.Path])
		}
	}
	for path, data := range v.files {
		if _, err := os.Lstat(v.model("snapshots", commit, path)); err == nil {
			reached = "snapshot"
			requireFile(t, v.model("snapshots", commit), path, data)
		}
	}
	if data, err := os.ReadFile(v.model("trees", commit+".json")); err == nil {
		reached = "tree"
		require.True(t, json.Valid(data))
		requireFiles(t, v.model("snapshots", commit), v.files)
	}
	if data, err := os.ReadFile(v.model("refs/main")); err == nil {
		reached = "tree and ref"
		require.Equal(t, commit, string(data))
		requireFiles(t, v.model("snapshots", commit), v.files)
	}
	return reached
}

// requireDone fails unless all is there, no lock is held, and nothing is left of those who were killed.
func (v *hubVictim) requireDone(t *testing.T) {
	t.Helper()
	require.Equal(t, "tree and ref", v.requireNothingHalfDone(t))
	left, err := os.ReadDir(v.model("blobs/.spinup"))
	require.NoError(t, err)
	for _, e := range left {
		require.Contains(t, []string{"lock", "verified"}, e.Name())
	}
	require.NoError(t, filepath.WalkDir(v.cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if name := d.Name(); strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".lease") || name == "lock" {
			l := flock.New(path)
			free, err := l.TryLock()
			require.True(t, free, path)
			require.NoError(t, err)
			return l.Close()
		}
		return nil
	}))
	sent := v.origin.sent.Load()
	v.run(t, 0)
	require.Equal(t, sent, v.origin.sent.Load(), "all of it is known")
}
