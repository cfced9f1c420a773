package download

import (
	"os"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/spinup-llm/spinup/source"
)

// A Lease is a complete, verified model that will not be pruned until Close.
type Lease struct {
	Dir      string // absolute
	Manifest *source.Manifest

	once sync.Once
	lock *flock.Flock // shared; nil when nothing has to be protected
	err  error
}

// Close ends the lease. It may be called more than once.
func (l *Lease) Close() error {
	l.once.Do(func() {
		if l.lock != nil {
			used(l.lock)
			l.err = l.lock.Close()
		}
	})
	return l.err
}

// used notes on the lock file when its model was last wanted, for Prune.
func used(l *flock.Flock) {
	now := time.Now()
	_ = os.Chtimes(l.Path(), now, now) // a model is then pruned sooner than it should be
}
