package compilecache

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	dirMode  = 0o755
	fileMode = 0o644
)

// ErrBroken marks packs whose bytes are wrong, or that were made for another key.
var ErrBroken = errors.New("the pack is broken")

// Unpack writes the files of a pack made for key below dir, each verified, and nothing outside
// of it. After an error dir may hold a part of them and is to be removed.
func Unpack(ctx context.Context, r io.Reader, dir string, key Key) (Contents, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Contents{}, err
	}
	defer func() { _ = root.Close() }()
	zip, err := gzip.NewReader(r)
	if err != nil {
		return Contents{}, broken(err)
	}
	archive := tar.NewReader(zip)
	if err = next(archive, indexName, -1); err != nil {
		return Contents{}, broken(err)
	}
	x, err := readIndex(archive, key)
	if err != nil {
		return Contents{}, broken(err)
	}
	for _, f := range x.Files {
		if err = lifecycle.FromContext(ctx, "compilecache.Unpack", ""); err != nil {
			return Contents{}, err
		}
		if err = extract(archive, root, f); err != nil {
			return Contents{}, err
		}
	}
	return x.contents(), atEnd(archive, zip)
}

func broken(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }

// next goes to the entry that has to follow; a negative size is any.
func next(archive *tar.Reader, name string, size int64) error {
	h, err := archive.Next()
	switch {
	case err == io.EOF:
		return fmt.Errorf("%s is missing", name)
	case err != nil:
		return err
	case h.Typeflag != tar.TypeReg || h.Name != name || size >= 0 && h.Size != size:
		return fmt.Errorf("%s is not what the index says", name)
	}
	return nil
}

// extract writes one file; what is there already is an error.
func extract(archive *tar.Reader, root *os.Root, f file) (err error) {
	if err = next(archive, f.Path, f.Size); err != nil {
		return broken(err)
	}
	if err = root.MkdirAll(path.Dir(f.Path), dirMode); err != nil {
		return err
	}
	out, err := root.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	sum := sha256.New()
	in := &reader{from: archive}
	if _, err = io.Copy(io.MultiWriter(out, sum), in); err != nil {
		if in.err != nil {
			return broken(err)
		}
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return broken(fmt.Errorf("%s has the digest %s, not %s", f.Path, got, f.SHA256))
	}
	return nil
}

// A reader remembers that it was the reading that failed.
type reader struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// atEnd requires that nothing follows, and the checksum of all of it.
func atEnd(archive *tar.Reader, zip *gzip.Reader) error {
	if _, err := archive.Next(); err != io.EOF {
		return broken(errors.New("there is more than the index says"))
	}
	switch n, err := io.Copy(io.Discard, zip); {
	case err != nil:
		return broken(err)
	case n > 0:
		return broken(errors.New("something follows its end"))
	}
	return nil
}
