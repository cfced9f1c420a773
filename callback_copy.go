package spinup

import (
	"context"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
)

// copyTo brings what uri names to a local path: of a folder the files below it, of a single
// object the file. report is told of the progress. The path is the object's own
// unless it ends in a separator or is a directory.
func copyTo(ctx context.Context, s *ReplicaState, uri, local string, report func(download.Progress)) error {
	src, err := s.Sources.Open(ctx, uri)
	if err != nil {
		return err
	}
	man, err := s.Downloads.Resolve(ctx, src)
	if err != nil {
		return err
	}
	dir := local
	src = remote{src}
	if isObject(src, man, uri) && !isFolder(local) {
		dir = filepath.Dir(local)
		src, man = renamed(src, man, filepath.Base(local))
	}
	return fetchTo(ctx, s.Downloads, src, man, dir, report)
}

// remote hides that a source is in place: its files are wanted elsewhere.
type remote struct{ source.Source }

// Locate implements source.Locator where the source does.
func (r remote) Locate(f source.File) (*url.URL, error) {
	if l, ok := r.Source.(source.Locator); ok {
		return l.Locate(f)
	}
	return nil, os.ErrNotExist
}

// isObject reports whether the manifest is that of a single object rather than of a folder
// that holds one: then the file is where the URI itself points.
func isObject(src source.Source, man *source.Manifest, uri string) bool {
	if len(man.Files) != 1 || strings.HasSuffix(uri, "/") {
		return false
	}
	key := keyOf(uri)
	if u, err := src.(source.Locator).Locate(man.Files[0]); err == nil {
		return strings.Trim(u.Path, "/") == strings.Trim(key, "/")
	}
	return man.Files[0].Path == path.Base(key)
}

// keyOf is the path in a URI: of a bucket's literally, of a web server's without signature and escapes.
func keyOf(uri string) string {
	if u, err := url.Parse(uri); err == nil && strings.HasPrefix(u.Scheme, "http") {
		return u.Path
	}
	_, key, _ := strings.Cut(uri, "://")
	_, key, _ = strings.Cut(key, "/")
	return key
}

func isFolder(local string) bool {
	if strings.HasSuffix(local, "/") || strings.HasSuffix(local, string(filepath.Separator)) {
		return true
	}
	info, err := os.Stat(local)
	return err == nil && info.IsDir()
}

// renamed gives the one file of a manifest another name.
func renamed(src source.Source, man *source.Manifest, name string) (source.Source, *source.Manifest) {
	file := man.Files[0]
	c := man.Filter(func(source.File) bool { return true })
	c.Files[0].Path = name
	return renamedSource{src, file}, c
}

type renamedSource struct {
	source.Source
	file source.File // under its own name
}

// Open implements source.Source.
func (r renamedSource) Open(ctx context.Context, _ source.File, off, n int64) (io.ReadCloser, error) {
	return r.Source.Open(ctx, r.file, off, n)
}
