package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	opResolve = "source.Resolve"
	opRead    = "source.Read"
)

// maxFiles bounds a listing: no model has so many, but "/" does.
const maxFiles = 100_000

// A Dir is a directory as a source of files. It holds no file open.
type Dir struct{ path string }

var _ source.InPlace = (*Dir)(nil)

// New returns the source of the files in dir. It does not look at the disk: Resolve does.
func New(dir string) (*Dir, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: dir, Err: err, Hint: "give an absolute path",
		}
	}
	return &Dir{path: abs}, nil
}

// Opener returns the function to register: mux.Handle("file", local.Opener()). A URI with
// a host other than localhost, user information or a query is Invalid.
func Opener() source.Opener {
	return func(_ context.Context, u *url.URL, _ *source.OpenOptions) (source.Source, error) {
		if (u.Host != "" && u.Host != "localhost") || u.User != nil || u.RawQuery != "" || u.Opaque != "" || u.Path == "" {
			return nil, &lifecycle.Error{
				Op: "source.Open", Kind: lifecycle.Invalid, Target: source.Redact(u.String()),
				Err: errors.New("it is no path of this machine"), Hint: "write file:///PATH, or the path alone",
			}
		}
		return New(filepath.FromSlash(u.Path))
	}
}

// LocalDir implements source.InPlace.
func (d *Dir) LocalDir() string { return d.path }

// Resolve implements source.Source. The revision is a digest of the listing.
func (d *Dir) Resolve(ctx context.Context) (*source.Manifest, error) {
	switch info, err := os.Stat(d.path); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, d.notFound()
	case err != nil:
		return nil, fault(opResolve, d.path, err)
	case !info.IsDir():
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.Invalid, Target: d.path, Err: errors.New("it is a file"),
			Hint: "give the folder that it lies in: " + filepath.Dir(d.path),
		}
	}
	files, err := d.list(ctx, "")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.NotFound, Target: d.path, Err: errors.New("the directory holds no files"),
			Hint: "give the folder with config.json in it",
		}
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(d.path)}
	return source.NewManifest(u.String(), "", files)
}

// list returns the files in the folder rel and below.
func (d *Dir) list(ctx context.Context, rel string) ([]source.File, error) {
	if err := lifecycle.FromContext(ctx, opResolve, d.path); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.on(rel))
	switch {
	case err != nil && rel != "" && errors.Is(err, fs.ErrPermission):
		return nil, nil // lost+found of a volume, say: what is missing then, who needs it tells
	case err != nil:
		return nil, fault(opResolve, d.on(rel), err)
	}
	var all []source.File
	for _, e := range entries {
		name := path.Join(rel, e.Name())
		files, err := d.entry(ctx, name, e)
		if err != nil {
			return nil, err
		}
		if all = append(all, files...); len(all) > maxFiles {
			return nil, &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Invalid, Target: d.path,
				Err: fmt.Errorf("there are more than %d files", maxFiles), Hint: "give the folder of one model",
			}
		}
	}
	return all, nil
}

func (d *Dir) entry(ctx context.Context, name string, e fs.DirEntry) ([]source.File, error) {
	if e.IsDir() {
		if strings.HasPrefix(e.Name(), ".") {
			return nil, nil
		}
		return d.list(ctx, name)
	}
	info, err := os.Stat(d.on(name)) // follows links
	switch {
	case errors.Is(err, fs.ErrNotExist) && e.Type()&fs.ModeSymlink != 0:
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.MissingFile, Target: d.on(name), Err: errors.New("it is a link to a file that is gone"),
			Hint: "download the model again, or remove the link",
		}
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil // removed since the directory was read
	case err != nil:
		return nil, fault(opResolve, d.on(name), err)
	case !info.Mode().IsRegular():
		return nil, nil
	}
	return []source.File{{Path: name, Size: info.Size(), Version: version(info)}}, nil
}

func (d *Dir) on(rel string) string { return filepath.Join(d.path, filepath.FromSlash(rel)) }

func version(info fs.FileInfo) string {
	return fmt.Sprintf("%d-%d", info.Size(), info.ModTime().UnixNano())
}
