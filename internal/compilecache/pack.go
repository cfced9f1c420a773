package compilecache

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// ErrEmpty says that there is nothing to pack.
var ErrEmpty = errors.New("the engine left nothing to keep")

// Pack writes the files below dir for which keep is true; links and other special files are
// none. Nobody may write them meanwhile: a file that changes is an error. It fails with ErrEmpty
// where there are none.
func Pack(ctx context.Context, w io.Writer, dir string, key Key, keep func(path string) bool) (Contents, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Contents{}, err
	}
	defer func() { _ = root.Close() }()
	x := &index{Format: format, Key: key}
	if x.Files, err = survey(ctx, root, keep); err != nil {
		return Contents{}, err
	}
	if len(x.Files) == 0 {
		return Contents{}, ErrEmpty
	}
	zip := gzip.NewWriter(w)
	archive := tar.NewWriter(zip)
	if err := write(ctx, archive, root, x); err != nil {
		return Contents{}, err
	}
	return x.contents(), errors.Join(archive.Close(), zip.Close())
}

// survey lists the files with their digests, sorted by path.
func survey(ctx context.Context, root *os.Root, keep func(string) bool) ([]file, error) {
	var files []file
	err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return lifecycle.FromContext(ctx, "compilecache.Pack", "")
		case errors.Is(err, fs.ErrNotExist):
			return nil // a temporary file that has gone
		case err != nil || !d.Type().IsRegular() || !keep(path):
			return err
		}
		f := file{Path: path}
		f.Size, f.SHA256, err = copyFile(io.Discard, root, path)
		files = append(files, f)
		return err
	})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	return files, err
}

// copyFile returns how much it copied, and its digest.
func copyFile(w io.Writer, root *os.Root, path string) (size int64, digest string, err error) {
	f, err := root.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, sum), f)
	return size, hex.EncodeToString(sum.Sum(nil)), err
}

func write(ctx context.Context, w *tar.Writer, root *os.Root, x *index) error {
	head, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		return err
	}
	if err := w.WriteHeader(header(indexName, int64(len(head)))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, f := range x.Files {
		if err := lifecycle.FromContext(ctx, "compilecache.Pack", ""); err != nil {
			return err
		}
		if err := w.WriteHeader(header(f.Path, f.Size)); err != nil {
			return err
		}
		size, digest, err := copyFile(w, root, f.Path)
		if errors.Is(err, tar.ErrWriteTooLong) || err == nil && (size != f.Size || digest != f.SHA256) {
			return fmt.Errorf("%s changed while it was packed", f.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// header says nothing of owner, mode and time, so that equal files make equal packs.
func header(path string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: path, Size: size, Mode: 0o644}
}
