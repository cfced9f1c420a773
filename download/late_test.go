package download_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// laconic is a memory that lists an algorithm alone, and tells the digest when it is asked.
type laconic struct {
	*memory

	tells source.Digest
	fails int // so many times first
	asked int
}

// newLaconic has one file, "weights"; tells is the algorithm of what it tells in the end.
func newLaconic(listed, tells string) *laconic {
	l := &laconic{memory: newMemory(map[string][]byte{"weights": random(7, 5*mib+1)}, "")}
	l.files[0].Digest.Algorithm = listed
	if tells != "" {
		l.tells = digest(tells, l.data["weights"])
	}
	return l
}

func (l *laconic) Digest(context.Context, source.File) (source.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked++; l.asked <= l.fails {
		return source.Digest{}, unavailable()
	}
	return l.tells, nil
}

func (l *laconic) questions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.asked
}

// Whatever was listed, what is told in the end is what the bytes are held against, and it is
// asked for once.
func TestDigestIsToldLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ listed, tells string }{
		"as listed":        {"crc64nvme", "crc64nvme"},
		"in order":         {"sha256", "sha256"},
		"another one":      {"md5", "crc64nvme"},
		"another order":    {"crc64nvme", "md5"},
		"pieces":           {"crc64nvme", source.Pieces("md5", mib)},
		"another checksum": {"crc64nvme", "crc32c"},
		"none":             {"sha256", ""},
	} {
		for _, size := range []int64{mib, 8 * mib} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				synctest.Test(t, func(t *testing.T) {
					src, m := newLaconic(c.listed, c.tells), &download.Manager{PartSize: size}
					p := plan(t, m, src, dir)
					require.Zero(t, src.questions(), "nothing is asked before the bytes come")
					run(t, m, src, p)
					requireFiles(t, dir, src.data)
					require.Equal(t, 1, src.questions())
					require.Zero(t, plan(t, m, src, dir).Fetch, "it is known again")
				})
			})
		}
	}
}

func run(t *testing.T, m *download.Manager, src source.Source, p *download.Plan) {
	t.Helper()
	for _, err := range m.Run(t.Context(), src, p) {
		require.NoError(t, err)
	}
}

// The question goes beside the first range: a source that answers it late holds nothing up.
func TestDigestIsAskedForBesideTheBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src, release := newLaconic("crc64nvme", "md5"), make(chan struct{})
		slow := waits{src, release}
		src.fault = func(c call) (io.ReadCloser, error) {
			if c.off == 0 {
				require.Zero(t, src.questions())
			}
			if c.off+c.n == c.file.Size {
				close(release) // the last range is asked for while nobody has told the digest
			}
			return nil, nil
		}
		m := &download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}
		run(t, m, slow, plan(t, m, slow, dir))
		requireFiles(t, dir, src.data)
	})
}

// waits answers when it is released.
type waits struct {
	*laconic

	release <-chan struct{}
}

func (w waits) Digest(ctx context.Context, f source.File) (source.Digest, error) {
	select {
	case <-w.release:
		return w.laconic.Digest(ctx, f)
	case <-ctx.Done():
		return source.Digest{}, ctx.Err()
	}
}

// A question that fails is asked again, and one that nobody answers is an error.
func TestDigestIsAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails int
		want  error
	}{"twice": {2, nil}, "for ever": {1000, lifecycle.Unavailable}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newLaconic("crc64nvme", "sha256")
				src.fails = c.fails
				_, err := new(download.Manager).Fetch(t.Context(), src, dir)
				require.ErrorIs(t, err, c.want)
				if c.want == nil {
					requireFiles(t, dir, src.data)
				} else {
					require.Empty(t, visible(t, dir))
				}
			})
		})
	}
}

// busy asks for a pause before it answers, and knows how long it was left alone.
type busy struct {
	*laconic

	pause, left time.Duration
	since       time.Time
}

func (b *busy) Digest(ctx context.Context, f source.File) (source.Digest, error) {
	if b.since.IsZero() {
		b.since = time.Now()
		return source.Digest{}, source.WithRetryAfter(unavailable(), b.pause)
	}
	b.left = time.Since(b.since)
	return b.laconic.Digest(ctx, f)
}

// Who is asked too often gets the pause that it asks for; one without an end is not waited for.
func TestDigestIsAskedForAfterThePause(t *testing.T) {
	t.Parallel()
	for _, pause := range []time.Duration{time.Second, time.Minute, time.Hour} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			src := &busy{laconic: newLaconic("crc64nvme", "crc64nvme"), pause: pause}
			_, err := new(download.Manager).Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			require.Equal(t, pause < time.Hour, src.left >= pause, "%v of %v", src.left, pause)
			requireFiles(t, dir, src.data)
		})
	}
}

// Wrong bytes are found whenever the digest is told, and fetched once more.
func TestLateDigestFindsWrongBytes(t *testing.T) {
	t.Parallel()
	for _, tells := range []string{"crc64nvme", "md5", source.Pieces("sha256", mib)} {
		for bad, want := range map[int]error{1: nil, 2: lifecycle.Corrupt} {
			src, dir := newLaconic("crc64nvme", tells), t.TempDir()
			src.fault = func(c call) (io.ReadCloser, error) {
				if c.off == 2*mib && c.try <= bad {
					return io.NopCloser(bytes.NewReader(flipped(c.data))), nil
				}
				return nil, nil
			}
			_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
			require.ErrorIs(t, err, want, tells)
			if want == nil {
				requireFiles(t, dir, src.data)
			}
		}
	}
}

// A file that somebody else put there is held against the digest, which Run has to ask for, and
// kept where it is right.
func TestFilesOfOthersAreRecognized(t *testing.T) {
	t.Parallel()
	src, dir := newLaconic("crc64nvme", "crc64nvme"), t.TempDir()
	path := filepath.Join(dir, "weights")
	require.NoError(t, os.WriteFile(path, src.data["weights"], 0o600))
	_, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.Zero(t, src.opens())
	require.Equal(t, 1, src.questions())
	_, err = new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	require.Equal(t, 1, src.questions(), "it is known from then on")

	require.NoError(t, os.WriteFile(path, flipped(src.data["weights"]), 0o600))
	_, err = new(download.Manager).Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, dir, src.data)
	require.Positive(t, src.opens())
}
