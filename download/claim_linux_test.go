package download_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// stopping is a source whose bodies bring their first byte and then wait.
type stopping struct {
	source.Source
	begun   sync.Once
	first   chan struct{}
	proceed chan struct{}
}

func (s *stopping) Open(ctx context.Context, _ source.File, _, _ int64) (io.ReadCloser, error) {
	s.begun.Do(func() { close(s.first) })
	select {
	case <-s.proceed:
	case <-ctx.Done():
	}
	return nil, &lifecycle.Error{Op: "test", Kind: lifecycle.AccessDenied, Err: errors.New("enough")}
}

// Two who want the same files need the space once: the second waits instead of being refused.
func TestSpaceOfTheSameFilesIsNeededOnce(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	var disk unix.Statfs_t
	require.NoError(t, unix.Statfs(cache, &disk))
	size := int64(disk.Bavail) * disk.Frsize * 6 / 10
	man, err := source.NewManifest("test://a/b", "1", []source.File{{Path: "weights", Size: size, Version: "1"}})
	require.NoError(t, err)
	src := &stopping{first: make(chan struct{}), proceed: make(chan struct{})}
	m := new(download.Manager)
	acquire := func(report func(download.Progress)) error {
		_, err := (&download.Cache{StoreDir: filepath.Join(cache, "store")}).Acquire(t.Context(), m, src, man, nil, report)
		return err
	}
	group, ended := errgroup.WithContext(t.Context())
	group.Go(func() error { return acquire(nil) })
	<-src.first
	waits := make(chan struct{})
	var once sync.Once
	group.Go(func() error {
		return acquire(func(p download.Progress) {
			if p.Waiting != "" {
				once.Do(func() { close(waits) })
			}
		})
	})
	select {
	case <-waits:
	case <-ended.Done():
	}
	close(src.proceed)
	require.ErrorIs(t, group.Wait(), lifecycle.AccessDenied)
}
