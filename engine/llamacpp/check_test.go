package llamacpp_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/engine/llamacpp"
	"github.com/spinup-llm/spinup/internal/tinygguf"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/stretchr/testify/require"
)

// A broken file is refused, in a folder and at a source, before anything is started.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for want, spoil := range map[string]func(dir string) error{
		"is truncated":      func(dir string) error { return os.Truncate(filepath.Join(dir, "tiny.gguf"), 1_000_000) },
		"within its header": func(dir string) error { return os.Truncate(filepath.Join(dir, "tiny.gguf"), 30_000) },
		"git lfs pull":      func(dir string) error { return write(dir, "version https://git-lfs.github.com/spec/v1\n") },
		"begins with":       func(dir string) error { return write(dir, "<html>") },
		"was renamed":       func(dir string) error { return alone(dir, "tiny.gguf") },
		"is file 2 of 2":    twice,
		"one of 2 files":    func(dir string) error { return alone(dir, "tiny-00001-of-00002.gguf") },
		"no GGUF file":      func(dir string) error { return alone(dir, "tiny.bin") },
		"nosuch.jinja":      func(string) error { return nil },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			dir := model(t, nil)
			require.NoError(t, spoil(dir))
			spec := kwargs(dir)
			if want == "nosuch.jinja" {
				spec.Kwargs["chat_template_file"] = want
			}
			require.ErrorContains(t, e.Check(spec), want)

			src, err := local.New(dir)
			require.NoError(t, err)
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			if m, err = e.ChooseFiles(spec, m); err == nil {
				err = e.CheckFiles(t.Context(), src, m)
			}
			require.ErrorContains(t, err, want)
		})
	}
}

func write(dir, text string) error {
	return os.WriteFile(filepath.Join(dir, "tiny.gguf"), []byte(text), 0o600)
}

const first, second = "tiny-00001-of-00002.gguf", "tiny-00002-of-00002.gguf"

// split makes the model one of two parts.
func split(dir string) error {
	file := filepath.Join(dir, "tiny.gguf")
	return errors.Join(os.Remove(file), tinygguf.Write(file, "../../examples/quickstart/model", &tinygguf.Options{Shards: 2}))
}

// alone leaves the first part, under another name.
func alone(dir, name string) error {
	return errors.Join(split(dir), os.Remove(filepath.Join(dir, second)), os.Rename(filepath.Join(dir, first), filepath.Join(dir, name)))
}

// twice puts the second part in the place of the first, too.
func twice(dir string) error {
	err := split(dir)
	data, readErr := os.ReadFile(filepath.Join(dir, second))
	return errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, first), data, 0o600))
}

func TestGoodFiles(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for _, o := range []*tinygguf.Options{nil, {Shards: 3}, {Architecture: "brand-new"}} {
		dir := model(t, o)
		require.NoError(t, e.Check(kwargs(dir)))
		src, err := local.New(dir)
		require.NoError(t, err)
		m, err := src.Resolve(t.Context())
		require.NoError(t, err)
		require.NoError(t, e.CheckFiles(t.Context(), src, m))
	}
	require.ErrorIs(t, e.Check(kwargs(filepath.Join(t.TempDir(), "no"))), lifecycle.NotFound)
	require.ErrorIs(t, llamacpp.Engine{Path: "/no"}.Check(kwargs(model(t, nil))), lifecycle.NotFound)
}

// A cut is a source whose first bodies end within a header, as those of a cut connection do.
type cut struct {
	source.Source
	err   error
	times int
}

func (c *cut) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	body, err := c.Source.Open(ctx, f, off, n)
	if c.times--; err != nil || c.times < 0 {
		return body, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(body, 100), iotest.ErrReader(c.err)), body}, nil
}

// A network that fails is not a broken file: the header is read again, and the error keeps its kind.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	dir := model(t, &tinygguf.Options{Shards: 3})
	for name, err := range map[string]error{
		"cut":   &lifecycle.Error{Op: "source.Read", Kind: lifecycle.Unavailable, Err: io.ErrUnexpectedEOF},
		"reset": errors.New("connection reset by peer"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				src, openErr := local.New(dir)
				require.NoError(t, openErr)
				m, listErr := src.Resolve(t.Context())
				require.NoError(t, listErr)
				require.NoError(t, llamacpp.Engine{}.CheckFiles(t.Context(), &cut{src, err, 1}, m))
				begun := time.Now()
				failed := llamacpp.Engine{}.CheckFiles(t.Context(), &cut{src, err, 1000}, m)
				require.Equal(t, lifecycle.Unavailable, lifecycle.KindOf(failed), "%v", failed)
				require.ErrorIs(t, failed, err)
				require.Less(t, time.Since(begun), time.Minute, "one file tells that the source is gone")
			})
		})
	}
}
