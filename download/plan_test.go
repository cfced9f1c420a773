package download_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/download/internal/crc"
	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// partialNames are where the partial file and the journal of the file "weights" are kept:
// learnt from a download that is stopped.
func partialNames(t *testing.T) (partial, records string, header journal.Header) {
	t.Helper()
	dir := t.TempDir()
	src := newMemory(map[string][]byte{"weights": random(1, 5*mib)}, "crc32c")
	src.fault = func(call) (io.ReadCloser, error) { return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied} }
	_, err := new(download.Manager).Fetch(t.Context(), src, dir)
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.Len(t, unfinished(t, dir), 1)
	partial = filepath.Join(".spinup", filepath.Base(unfinished(t, dir)[0]))
	records = strings.TrimSuffix(partial, ".partial") + ".journal"
	f, err := os.Open(filepath.Join(dir, records))
	require.NoError(t, err)
	defer f.Close()
	header, _, err = journal.ReadPartial(f)
	require.NoError(t, err)
	return partial, records, header
}

func TestPlanCoversExactlyWhatIsMissing(t *testing.T) {
	t.Parallel()
	partial, records, header := partialNames(t)
	kind, _ := crc.Lookup("crc32c")
	base, cases := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		cases++
		dir := filepath.Join(base, strconv.Itoa(cases))
		data := random(7, rapid.IntRange(0, 300).Draw(rt, "size"))
		src := newMemory(map[string][]byte{"weights": data}, "crc32c")
		segments := drawSegments(rt, data, kind)
		header := header
		header.Size, header.Digest = int64(len(data)), src.files[0].Digest.String()
		lines := journal.Encode(header)
		content := make([]byte, len(data))
		for _, s := range segments {
			lines = append(lines, journal.Encode(s)...)
			copy(content[s.Off:s.End()], data[s.Off:s.End()])
		}
		require.NoError(rt, os.MkdirAll(filepath.Join(dir, ".spinup"), 0o755))
		require.NoError(rt, os.WriteFile(filepath.Join(dir, partial), content, 0o644))
		require.NoError(rt, os.WriteFile(filepath.Join(dir, records), lines, 0o644))

		m := &download.Manager{PartSize: rapid.Int64Range(1, 100).Draw(rt, "part"), Budget: &download.Budget{Connections: 3}}
		man, err := src.Resolve(t.Context())
		require.NoError(rt, err)
		p, err := m.Plan(t.Context(), man, dir)
		require.NoError(rt, err)
		count := make([]int, len(data))
		for _, s := range segments {
			for i := s.Off; i < s.End(); i++ {
				count[i]++
			}
		}
		for _, r := range p.Ranges {
			require.LessOrEqual(rt, r.Len, m.PartSize)
			for i := r.Off; i < r.Off+r.Len; i++ {
				count[i]++
			}
		}
		for i, n := range count {
			require.Equal(rt, 1, n, "byte %d", i)
		}
		require.Equal(rt, int64(len(data)), p.Reuse+p.Fetch)

		for _, err := range m.Run(t.Context(), src, p) {
			require.NoError(rt, err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "weights"))
		require.NoError(rt, err)
		require.True(rt, bytes.Equal(data, got))
		require.Equal(rt, p.Fetch, src.served)
	})
}

func drawSegments(t *rapid.T, data []byte, kind crc.Kind) []journal.Segment {
	var segments []journal.Segment
	for at := 0; at < len(data); {
		at += rapid.IntRange(0, 50).Draw(t, "gap")
		n := min(rapid.IntRange(1, 80).Draw(t, "segment"), len(data)-at)
		if n <= 0 {
			break
		}
		segments = append(segments, journal.Segment{Off: int64(at), Len: int64(n), Sum: kind.Update(0, data[at:at+n])})
		at += n
	}
	return segments
}

func TestPlanWritesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "absent")
	src := newMemory(model(), "sha256")
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	p, err := new(download.Manager).Plan(t.Context(), man, dir)
	require.NoError(t, err)
	require.NoDirExists(t, dir)
	require.Equal(t, man.Size(), p.Fetch)
	require.Zero(t, p.Reuse)
	require.Equal(t, len(man.Files), p.Files)
	require.Zero(t, src.opens())
}

func TestPlanHashesWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	src := newMemory(map[string][]byte{"right": random(1, 1000), "wrong": random(2, 1000), "short": random(3, 10)}, "sha256")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "right"), src.data["right"], 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "wrong"), random(9, 1000), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "short"), random(3, 9), 0o644))
	man, err := src.Resolve(t.Context())
	require.NoError(t, err)
	m := new(download.Manager)
	p, err := m.Plan(t.Context(), man, dir)
	require.NoError(t, err)
	require.Equal(t, int64(1000), p.Reuse)
	require.Equal(t, int64(1010), p.Fetch)
	require.Equal(t, 1, p.Complete)
	_, err = m.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	requireFiles(t, dir, src.data)
	require.Equal(t, int64(1010), src.served)
}

func TestVersionsAreNotMixed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m := new(download.Manager)
	src := newMemory(map[string][]byte{"f": random(1, 1000)}, "")
	_, err := m.Fetch(t.Context(), src, dir)
	require.NoError(t, err)
	newer := newMemory(map[string][]byte{"f": random(2, 1000)}, "")
	newer.files[0].Version = "v2"
	_, err = m.Fetch(t.Context(), newer, dir)
	require.NoError(t, err)
	requireFiles(t, dir, newer.data)
}

func TestPartialsOfAnotherVersionAreNotUsed(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(f *source.File){
		"version":    func(f *source.File) { f.Version = "v2" },
		"digest":     func(f *source.File) { f.Digest = source.Digest{Algorithm: "x", Hex: "00"} },
		"not pinned": func(f *source.File) { f.Version = "" },
		"none":       func(*source.File) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, m := t.TempDir(), &download.Manager{PartSize: 2 * mib, Budget: &download.Budget{Connections: 1}}
			src := newMemory(map[string][]byte{"f": random(1, 6*mib)}, "")
			src.fault = func(c call) (io.ReadCloser, error) {
				if c.off == 4*mib {
					return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied}
				}
				return nil, nil
			}
			_, err := m.Fetch(t.Context(), src, dir)
			require.ErrorIs(t, err, lifecycle.AccessDenied)

			next := newMemory(map[string][]byte{"f": random(2, 6*mib)}, "")
			if name == "none" {
				next.data = src.data
			}
			change(&next.files[0])
			_, err = m.Fetch(t.Context(), next, dir)
			require.NoError(t, err)
			requireFiles(t, dir, next.data)
			require.Equal(t, name == "none", next.served == 2*mib)
		})
	}
}

func TestNamesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"../x", "/x", "a/../../x", `..\x`, "C:x", "", ".", ".spinup/lock", ".SPINUP/x", "a//b", "a\nb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			dir := filepath.Join(parent, "model")
			file := source.File{Path: name, Size: 1, Version: "1"}
			m := new(download.Manager)
			_, err := m.Plan(t.Context(), &source.Manifest{Files: []source.File{file}}, dir)
			require.ErrorIs(t, err, lifecycle.Invalid)

			src := newMemory(map[string][]byte{name: {1}}, "")
			for _, err := range m.Run(t.Context(), src, &download.Plan{Dir: dir, Ranges: []download.Range{{File: file, Len: 1}}}) {
				require.ErrorIs(t, err, lifecycle.Invalid)
			}
			require.Zero(t, src.opens())
			require.Empty(t, visible(t, parent))
		})
	}
}

func TestLargeFilesAreStriped(t *testing.T) {
	t.Parallel()
	var files []source.File
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		files = append(files, source.File{Path: name, Size: 2 << 20, Version: "1"})
	}
	files = append(files, source.File{Path: "small", Size: 1, Version: "1"}, source.File{Path: "void", Version: "1"})
	m := &download.Manager{PartSize: mib}
	p, err := m.Plan(t.Context(), &source.Manifest{Files: files}, t.TempDir())
	require.NoError(t, err)
	var order []string
	for _, r := range p.Ranges {
		order = append(order, r.File.Path)
	}
	require.Equal(t, "a b c d e f small g void h a b c d e f g h i i", strings.Join(order, " "))
}
