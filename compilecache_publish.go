package spinup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/spinup-llm/spinup/internal/compilecache"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// publish offers what the engine has compiled to later starts: after ready, once per key, and
// whatever becomes of it is only told.
func (s *startup) publish(ctx context.Context) {
	c := s.compiled
	if c == nil || c.hit {
		return
	}
	if _, taken := s.published.LoadOrStore(c.key.Name(), nil); taken {
		return
	}
	var there bool
	err := s.stage(ctx, lifecycle.StageCompileCache, "publishes "+c.uri, func(ctx context.Context, span lifecycle.Scope) error {
		said, err := c.publish(ctx, span)
		if there = errors.Is(err, fs.ErrExist); there {
			said, err = "another start has published "+c.uri, nil
		}
		span.Progress(0, 0, said)
		return err
	})
	if err != nil || there {
		s.published.Delete(c.key.Name()) // it may be removed, and published by a later start
	}
}

func (c *compiled) publish(ctx context.Context, span lifecycle.Scope) (said string, err error) {
	to, ok := c.place.(source.Creator)
	if !ok {
		return "", &lifecycle.Error{
			Op: "spinup.CompileCache", Kind: lifecycle.Invalid, Target: c.uri, Err: errors.New("nothing can be stored there"),
			Hint: "let Options.CompileCache be a directory, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX",
		}
	}
	f, err := c.room.Create(packName)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	contents, err := compilecache.Pack(ctx, io.MultiWriter(f, sum, &pulse{span: span}), c.room.Dir(), c.key, c.cacher.Cached)
	if errors.Is(err, compilecache.ErrEmpty) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", err
	}
	pack := source.File{Path: packName, Size: size, Digest: source.Digest{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}}
	said = fmt.Sprintf("published %s: %d files, %d bytes, packed %d", c.uri, contents.Files, contents.Bytes, size)
	return said, to.Create(ctx, pack, telling{io.TeeReader(f, &pulse{span: span}), f})
}

// telling is a file whose bytes tell that they move.
type telling struct {
	io.Reader
	io.Seeker
}

// A pulse tells, once a second at most, how many bytes have moved.
type pulse struct {
	span lifecycle.Scope
	done int64
	next time.Time
}

// Write implements io.Writer.
func (p *pulse) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if now := time.Now(); now.After(p.next) {
		p.next = now.Add(time.Second)
		p.span.Progress(p.done, 0, "")
	}
	return len(b), nil
}
