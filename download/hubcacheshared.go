package download

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// sharedBy returns where a blob of the model leads to in the store that all models of the
// cache share, or "".
func (h *hubModel) sharedBy(blob string) string {
	target, err := os.Readlink(filepath.Join(h.blobs(), blob))
	if err != nil {
		return ""
	}
	at := filepath.Join(h.blobs(), target)
	if filepath.Dir(filepath.Dir(at)) != filepath.Join(filepath.Dir(h.dir), "blobs") {
		return ""
	}
	return at
}

// dropShared removes from that store what no blob of any model leads to any more. Whoever
// makes a new link to it, or takes it away, holds its lock.
func (h *hubModel) dropShared(at string) error {
	lock := flock.New(at+blobSuffix, flock.SetPermissions(0o666)) // as they do
	if ok, err := lock.TryLock(); err != nil || !ok {
		return err
	}
	defer lock.Close() //nolint:errcheck // the kernel lets go of it in any case
	cache := filepath.Dir(h.dir)
	repos, err := os.ReadDir(cache)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		blobs, _ := os.ReadDir(filepath.Join(cache, repo.Name(), "blobs")) // not all that is there is a repository
		for _, blob := range blobs {
			other := &hubModel{dir: filepath.Join(cache, repo.Name())}
			if blob.Type()&os.ModeSymlink != 0 && other.sharedBy(blob.Name()) == at {
				return nil
			}
		}
	}
	return errors.Join(os.RemoveAll(at), os.RemoveAll(at+".refs"))
}
