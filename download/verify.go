package download

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/spinup-llm/spinup/download/internal/crc"
	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// Verify hashes dir against the manifest and joins one error for each bad file: MissingFile
// or Corrupt. It believes nothing that was noted earlier but digests that a source told with
// the bytes alone. Files without a digest are compared by size.
func Verify(ctx context.Context, man *source.Manifest, dir string) error {
	files, err := usable(man)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return diskError("download.Verify", dir, err)
	}
	defer root.Close() //nolint:errcheck // nothing was written
	records := recorded(root)
	errs := make([]error, len(files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range files {
		group.Go(func() error {
			errs[i] = verify(ctx, root, recall(records, f))
			return nil
		})
	}
	_ = group.Wait() // each error is in errs
	if err := lifecycle.FromContext(ctx, "download.Verify", dir); err != nil {
		return err
	}
	return errors.Join(errs...)
}

func verify(ctx context.Context, root *os.Root, f source.File) error {
	r, err := root.Open(f.Path)
	if err != nil {
		return &lifecycle.Error{
			Op: "download.Verify", Kind: lifecycle.MissingFile, Target: f.Path, Err: err, Hint: "fetch it again",
		}
	}
	defer r.Close() //nolint:errcheck // nothing was written
	info, err := r.Stat()
	if err != nil {
		return diskError("download.Verify", f.Path, err)
	}
	if info.Size() != f.Size {
		return corrupt("download.Verify", f.Path, fmt.Sprintf("%d bytes", f.Size), fmt.Sprintf("%d bytes", info.Size()), hintHere)
	}
	sum, err := sumOf(ctx, r, f)
	if err != nil {
		return diskError("download.Verify", f.Path, err)
	}
	if sum != nil && f.Digest.Known() && !f.Digest.Equal(sum) {
		return corrupt("download.Verify", f.Path, f.Digest.String(), f.Digest.Algorithm+":"+hex.EncodeToString(sum), hintHere)
	}
	return nil
}

func recorded(root *os.Root) map[string]journal.Verified {
	state, err := root.OpenRoot(stateDir)
	if err != nil {
		return nil
	}
	defer state.Close() //nolint:errcheck // nothing was written
	return readVerified(state)
}

// sumOf hashes r, or returns nil when the digest is none that we know.
func sumOf(ctx context.Context, r io.Reader, f source.File) ([]byte, error) {
	h := f.Digest.NewHash(f.Size)
	if h == nil {
		return nil, nil
	}
	buf := make([]byte, bufferSize)
	for {
		n, err := r.Read(buf)
		_, _ = h.Write(buf[:n]) // a hash never fails
		if err == nil {
			err = ctx.Err()
		}
		if errors.Is(err, io.EOF) {
			return h.Sum(nil), nil
		} else if err != nil {
			return nil, err
		}
	}
}

// pinned reports whether a later process can know that it goes on with the same bytes.
func pinned(f source.File) bool { return f.Version != "" || f.Digest.Known() }

// kindOf returns how the parts of f are summed up: as its digest is, where parts combine, and as
// one that is told later may be.
func kindOf(f source.File) crc.Kind {
	if k, ok := crc.Lookup(f.Digest.Algorithm); ok {
		return k
	}
	if f.Digest.Algorithm == "" {
		return crc.NVME
	}
	return crc.Castagnoli
}

func header(f source.File) journal.Header {
	return journal.Header{
		Path: f.Path, Size: f.Size, Version: f.Version, Digest: f.Digest.String(),
		CRC: kindOf(f).Name(), Boot: bootID(),
	}
}

// intact reads a segment of a partial file and compares its sum.
func intact(ctx context.Context, state *os.Root, f source.File, s journal.Segment) bool {
	r, err := state.Open(partialName(f.Path))
	if err != nil {
		return false
	}
	defer r.Close() //nolint:errcheck // nothing was written
	kind, sum := kindOf(f), uint64(0)
	part := io.NewSectionReader(r, s.Off, s.Len)
	buf := make([]byte, bufferSize)
	for {
		n, err := part.Read(buf)
		sum = kind.Update(sum, buf[:n])
		if err != nil || ctx.Err() != nil {
			return errors.Is(err, io.EOF) && sum == s.Sum
		}
	}
}
