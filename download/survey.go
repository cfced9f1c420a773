package download

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// A finding is what a directory holds of one file.
type finding struct {
	file      source.File
	complete  bool
	littered  bool              // complete, but a kill left its journal
	unproven  bool              // of the right size, and the source tells the digest late
	found     *journal.Verified // complete by its digest, but not yet known as verified
	have      []journal.Segment // of the partial file
	allocated int64             // bytes of disk that the partial file takes
}

func (f finding) missing() int64 {
	if f.complete {
		return 0
	}
	n := f.file.Size
	for _, s := range f.have {
		n -= s.Len
	}
	return n
}

// diskBlock is what file systems allocate at least.
const diskBlock = 4096

// needed returns the bytes of disk that the file is still to take. The old file and its
// replacement exist at the same time, so nothing is set off for it.
func (f finding) needed() int64 {
	if f.complete {
		return 0
	}
	return max((f.file.Size+diskBlock-1)/diskBlock*diskBlock-f.allocated, 0)
}

// A depth is how closely a survey looks.
type depth int

const (
	glance  depth = iota // what journals say is believed: enough to show progress
	rehash               // partial files that another boot left are read, and finished ones that are not known as verified
	inspect              // partial files are read, as a run is to go on with them: once for each interruption
)

// survey looks at each file in dir and writes nothing. What is in known counts as verified,
// and is found anew. Finished files that are not read and not known as verified count as missing.
func survey(ctx context.Context, dir string, files []source.File, known []journal.Verified, how depth) ([]finding, error) {
	findings := make([]finding, len(files))
	for i, f := range files {
		findings[i] = finding{file: f}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return findings, nil
	} else if err != nil {
		return nil, diskError("download.Plan", dir, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	s := &surveyor{root: root, how: how, known: map[string]journal.Verified{}}
	for _, v := range known {
		s.known[v.Path] = v
	}
	if state, err := root.OpenRoot(stateDir); err == nil {
		defer state.Close() //nolint:errcheck // nothing was written
		s.remember(state)
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range findings {
		group.Go(func() error {
			s.look(ctx, &findings[i])
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, lifecycle.FromContext(ctx, "download.Plan", dir)
	}
	return findings, nil
}

// A surveyor holds what is the same for all files of a directory.
type surveyor struct {
	root     *os.Root
	state    *os.Root        // nil when there is none
	names    map[string]bool // of what is in state
	verified map[string]journal.Verified
	known    map[string]journal.Verified
	how      depth
}

func (s *surveyor) remember(state *os.Root) {
	s.state = state
	s.verified = readVerified(state)
	s.names = map[string]bool{}
	entries, _ := fs.ReadDir(state.FS(), ".") // what cannot be read is fetched
	for _, e := range entries {
		s.names[e.Name()] = true
	}
}

func readVerified(state *os.Root) map[string]journal.Verified {
	f, err := state.Open(verifiedName)
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // nothing was written
	records, _ := journal.ReadVerified(f)
	return records
}

// look fills in what is found. What cannot be read counts as missing: the attempt to
// write it says why.
func (s *surveyor) look(ctx context.Context, f *finding) {
	info, ok := regular(s.root, f.file.Path)
	if ok && info.Size() == f.file.Size {
		now := record(f.file, info)
		if agrees(s.verified[f.file.Path], now) {
			f.complete = true
			f.littered = s.names[journalName(f.file.Path)] && !s.names[partialName(f.file.Path)]
			return
		}
		if agrees(s.known[f.file.Path], now) || s.how == rehash && hashes(ctx, s.root, f.file) {
			f.complete, f.found = true, &now
			return
		}
		f.unproven = late(f.file)
	}
	if s.names[partialName(f.file.Path)] {
		s.lookPartial(ctx, f)
	}
}

// forgetParts leaves partial files to those who may be at them.
func forgetParts(findings []finding) {
	for i := range findings {
		findings[i].have, findings[i].allocated = nil, 0
	}
}

// record says that the file that info describes holds the bytes of f.
func record(f source.File, info fs.FileInfo) journal.Verified {
	return journal.Verified{
		Path: f.Path, Size: info.Size(), MTime: info.ModTime().UnixNano(),
		Version: f.Version, Digest: f.Digest.String(),
	}
}

// agrees reports whether what was verified is what is wanted now. Equal digests mean equal
// bytes; without one the version decides.
func agrees(was, now journal.Verified) bool {
	if was.Path == "" || was.Size != now.Size || was.MTime != now.MTime {
		return false
	}
	if now.Digest != "" {
		return was.Digest == now.Digest
	}
	return was.Version == now.Version
}

// hashes reports whether the bytes that lie below root have the digest of f.
func hashes(ctx context.Context, root *os.Root, f source.File) bool {
	if !f.Digest.Known() || f.Digest.NewHash(f.Size) == nil {
		return false
	}
	r, err := root.Open(f.Path)
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // nothing was written
	sum, err := sumOf(ctx, r, f)
	return err == nil && f.Digest.Equal(sum)
}

// lookPartial takes over the segments of a partial file that is of this very version.
func (s *surveyor) lookPartial(ctx context.Context, f *finding) {
	info, ok := regular(s.state, partialName(f.file.Path))
	if !ok {
		return
	}
	f.allocated = allocated(info)
	j, err := s.state.Open(journalName(f.file.Path))
	if err != nil {
		return
	}
	defer j.Close() //nolint:errcheck // nothing was written
	was, segments, err := journal.ReadPartial(j)
	now := header(f.file)
	believed := s.believes(was, now)
	if was.Boot = now.Boot; err != nil || was != now {
		return
	}
	for _, g := range segments {
		if g.End() <= info.Size() && (believed || intact(ctx, s.state, f.file, g)) {
			f.have = append(f.have, g)
		}
	}
}

// believes reports whether a journal is taken at its word. A plan does so within one boot, in
// which what was written is still there. A run does not: where the sums of ranges combine to the
// digest, a bit that the disk has lost since would show nowhere else.
func (s *surveyor) believes(was, now journal.Header) bool {
	return s.how == glance || s.how == rehash && now.Boot != "" && now.Boot == was.Boot
}
