package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A Cache keeps models on a node under one roof, each in a folder of its own that is keyed by
// canonical URI and revision. Several processes may use it at once. The zero value is ready
// to use; Caches of the same StoreDir are the same cache.
type Cache struct {
	StoreDir string // "" means <UserCacheDir>/spinup/store
	_        struct{}
}

// locksDir holds the locks of the models below the store. They are never removed: a lock
// that another process is about to take must not vanish.
const locksDir = ".locks"

// Acquire brings the files of man for which keep is true (nil means all) and leases them.
// A nil m means Default, a nil man what src resolves to now; report, which may be nil, is
// told about the progress by the calling goroutine, as often as [Manager.Run] yields. What
// is there already costs no request.
//
// Concurrent callers, also of other processes, share one download: one fetches, the others
// wait, show its progress, and check the result. A file that has changed since it was verified
// is hashed, and fetched again when it is damaged. Files that an earlier revision had already
// are linked. A source that is InPlace is leased where it is, and one that is HubCached in the
// cache of the hub's tools, which PruneHub prunes.
//
// On a file system without locks each process fetches what it finds missing, and goes on with
// no other's unfinished files; what is wrong never gets a final name there either. A Lease then
// protects nothing, and Prune and PruneHub remove nothing but fail.
//
// It fails as [Manager.Plan] and [Manager.Run] do.
func (c *Cache) Acquire(ctx context.Context, m *Manager, src source.Source, man *source.Manifest,
	keep func(source.File) bool, report func(Progress),
) (*Lease, error) {
	if m == nil {
		m = Default
	}
	if man == nil {
		var err error
		if man, err = m.Resolve(ctx, src); err != nil {
			return nil, err
		}
	}
	if keep != nil {
		man = man.Filter(keep)
	}
	return c.acquire(ctx, m, src, man, report, nil)
}

// acquire is Acquire for all files of man, on behalf of an arrival or of nobody.
func (c *Cache) acquire(ctx context.Context, m *Manager, src source.Source, man *source.Manifest,
	report func(Progress), a *Arrival,
) (*Lease, error) {
	if local, ok := src.(source.InPlace); ok {
		return &Lease{Dir: local.LocalDir(), Manifest: man}, nil
	}
	if hub, ok := src.(source.HubCached); ok {
		if cache := hub.HubCache(man.Revision); cache.Dir != "" {
			return hubLease(ctx, m, cache, hub, man, report, a)
		}
	}
	return c.lease(ctx, m, src, man, report, a)
}

func (c *Cache) lease(ctx context.Context, m *Manager, src source.Source, man *source.Manifest,
	report func(Progress), a *Arrival,
) (*Lease, error) {
	store, err := c.store()
	if err != nil {
		return nil, err
	}
	name := entryName(man.URI, man.Revision)
	lock := flock.New(filepath.Join(store, locksDir, name+".lock"), flock.SetPermissions(fileMode))
	if _, err := m.take(ctx, store, lock.TryRLock, waitingFor(report, "Prune of "+store)); err != nil {
		return nil, lockError(ctx, store, err)
	}
	used(lock)
	l := &Lease{Dir: filepath.Join(store, name), Manifest: man, lock: lock}
	if err := l.fill(ctx, m, src, store, report, a); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// fill brings what is missing, from earlier revisions or the source.
func (l *Lease) fill(ctx context.Context, m *Manager, src source.Source, store string, report func(Progress), a *Arrival) error {
	files, err := usable(l.Manifest)
	if err != nil {
		return err
	}
	linked, err := adopt(store, filepath.Base(l.Dir), files)
	if err != nil {
		return diskError("download.Acquire", l.Dir, err)
	}
	plan, err := m.plan(ctx, l.Manifest.URI, files, l.Dir, linked)
	if err != nil {
		return err
	}
	plan.arrival = a
	return m.finish(ctx, src, plan, report)
}

// Folder returns the absolute path of a folder in the store that belongs to no model. Prune
// leaves it alone.
func (c *Cache) Folder(name string) (string, error) {
	store, err := c.store()
	return filepath.Join(store, "."+name), err
}

// store returns the absolute path of the store, which exists then.
func (c *Cache) store() (string, error) {
	dir := c.StoreDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", &lifecycle.Error{
				Op: "download.Cache", Kind: lifecycle.Invalid, Err: err, Hint: "set StoreDir, or HOME",
			}
		}
		dir = filepath.Join(base, "spinup", "store")
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, locksDir), dirMode)
	}
	if err != nil {
		return "", diskError("download.Cache", dir, err)
	}
	return dir, nil
}

// entryName is the folder of a revision. All revisions of a URI begin alike, up to the "@".
func entryName(uri, revision string) string {
	readable := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_':
			return r
		default:
			return '-'
		}
	}, uri)
	readable = strings.TrimLeft(readable[:min(len(readable), 80)], ".-")
	return readable + "-" + short(uri) + "@" + short(revision)
}

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
