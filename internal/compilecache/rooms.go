package compilecache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	gateName   = ".lock" // held while rooms are made and swept
	lockSuffix = ".lock"
	cacheName  = "cache"
)

// Rooms are the folders of starts, below one folder of this machine. What a host that was
// killed has left there is removed by the next one.
type Rooms struct{ path string }

// NewRooms does not look at the disk. The folder has to allow that programs in it are run.
func NewRooms(path string) Rooms { return Rooms{path} }

// A Room belongs to one start. It is locked for as long as its owner lives, and never
// becomes another one's.
type Room struct {
	path string
	lock *flock.Flock
}

// Open makes an empty room.
func (r Rooms) Open(ctx context.Context) (*Room, error) {
	if err := os.MkdirAll(r.path, dirMode); err != nil {
		return nil, err
	}
	gate := flock.New(filepath.Join(r.path, gateName))
	if _, err := gate.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return nil, err
	}
	defer func() { _ = gate.Close() }()
	r.sweep()
	lock, err := os.CreateTemp(r.path, "*"+lockSuffix)
	if err != nil {
		return nil, err
	}
	_ = lock.Close() // it is empty
	room := r.room(strings.TrimSuffix(filepath.Base(lock.Name()), lockSuffix))
	_, err = room.lock.TryLock()
	if err = errors.Join(err, os.MkdirAll(room.Dir(), dirMode)); err != nil {
		return nil, errors.Join(err, room.Close())
	}
	return room, nil
}

func (r Rooms) room(name string) *Room {
	path := filepath.Join(r.path, name)
	return &Room{path: path, lock: flock.New(path + lockSuffix)}
}

// sweep removes the rooms whose owners are gone. The gate keeps it from one that is made. What
// cannot be removed now, as an engine still writes, is left to a later start.
func (r Rooms) sweep() {
	entries, _ := os.ReadDir(r.path) // of none, if it cannot be read
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), lockSuffix)
		if !ok || name == "" {
			continue
		}
		room := r.room(name)
		if free, _ := room.lock.TryLock(); free {
			_ = room.Close()
		}
	}
}

// Dir is where the engine keeps its files.
func (r *Room) Dir() string { return filepath.Join(r.path, cacheName) }

// Create makes a file beside Dir that goes with the room.
func (r *Room) Create(name string) (*os.File, error) {
	return os.Create(filepath.Join(r.path, name)) //nolint:gosec // a name of the caller's own
}

// Close removes the room. The engine must have ended.
func (r *Room) Close() error {
	err := os.RemoveAll(r.path)
	if err == nil {
		err = os.Remove(r.lock.Path())
	}
	return errors.Join(err, r.lock.Close())
}
