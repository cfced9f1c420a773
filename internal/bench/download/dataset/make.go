//go:build linux

package dataset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/minio/crc64nvme"
)

// Make writes the files of a set into a folder of its name below dir. Files that are there
// with their size are kept.
func Make(ctx context.Context, dir string, s *Set) error {
	s.Dir = filepath.Join(dir, s.Name)
	for i := range s.Files {
		f := &s.Files[i]
		path := filepath.Join(s.Dir, filepath.FromSlash(f.Path))
		var err error
		if info, statErr := os.Stat(path); statErr == nil && info.Size() == f.Size {
			f.CRC, err = sum(path)
		} else {
			f.CRC, err = write(ctx, path, *f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write fills a file with bytes that depend on its name alone.
func write(ctx context.Context, path string, f File) (uint64, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a web server reads it
		return 0, err
	}
	out, err := os.Create(path) //nolint:gosec // below the folder that was asked for
	if err != nil {
		return 0, err
	}
	random, h := rand.NewChaCha8(sha256.Sum256([]byte(f.Path))), crc64nvme.New()
	buf := make([]byte, mib)
	for left := f.Size; left > 0 && err == nil; left -= int64(len(buf)) {
		buf = buf[:min(left, int64(len(buf)))]
		_, _ = random.Read(buf) // never fails, as a hash does not
		_, _ = h.Write(buf)
		_, err = out.Write(buf)
		err = errors.Join(err, ctx.Err())
	}
	return h.Sum64(), errors.Join(err, out.Close())
}

// Check compares the files in dir with the set, by size and CRC64NVME. Other files in dir
// are no error.
func (s *Set) Check(dir string) error {
	for _, f := range s.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Size() != f.Size {
			return fmt.Errorf("%s has %d bytes, not %d", f.Path, info.Size(), f.Size)
		}
		got, err := sum(path)
		if err != nil {
			return err
		}
		if got != f.CRC {
			return fmt.Errorf("%s has other bytes: crc64nvme %016x, not %016x", f.Path, got, f.CRC)
		}
	}
	return nil
}

func sum(path string) (uint64, error) {
	f, err := os.Open(path) //nolint:gosec // of the benchmark
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	h := crc64nvme.New()
	_, err = io.CopyBuffer(onlyWriter{h}, f, make([]byte, 256*kib))
	return h.Sum64(), err
}

// onlyWriter hides other methods, so that the buffer is used.
type onlyWriter struct{ io.Writer }
