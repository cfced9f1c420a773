package srctest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// Fetch downloads a small model as package download does: it asks again for what is worth that,
// when the pause is over that the error tells.
func Fetch(ctx context.Context, src source.Source, dir string) (*source.Manifest, error) {
	man, err := resolve(ctx, src)
	if err != nil {
		return nil, err
	}
	for _, f := range man.Files {
		err := source.Read(ctx, src, f, 0, -1, func(r io.Reader) error {
			data, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, f.Path), data, 0o600)
		})
		if err != nil {
			return nil, err
		}
	}
	return man, nil
}

func resolve(ctx context.Context, src source.Source) (man *source.Manifest, err error) {
	for range 3 {
		if man, err = src.Resolve(ctx); !lifecycle.KindOf(err).Temporary() {
			break
		}
		select {
		case <-time.After(max(time.Second, source.RetryAfter(err))):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return man, err
}
