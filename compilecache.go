package spinup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/compilecache"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// packName is the one file in the folder of a key.
const packName = "cache.tar.gz"

// compiled is what a start has to do with Options.CompileCache: a room for what its engine
// compiles, filled where another start has published it.
type compiled struct {
	cacher engine.Cacher
	key    compilecache.Key
	place  source.Source // the folder of the key
	uri    string        // of place
	room   *compilecache.Room
	hit    bool
}

// takeCompiled finds what the start can use of the compile cache. A failure is told, and the
// start goes on without.
func (s *startup) takeCompiled(ctx context.Context, src source.Source, man *source.Manifest) {
	cacher, ok := s.engine.(engine.Cacher)
	if !ok || s.opts.CompileCache == "" {
		return
	}
	c, err := s.newCompiled(ctx, cacher, src, man)
	if err != nil {
		s.scope.Skip(lifecycle.StageCompileCache, err.Error())
		return
	}
	hit := false
	err = s.stage(ctx, lifecycle.StageCompileCache, c.uri, func(ctx context.Context, span lifecycle.Scope) (err error) {
		hit, err = s.fetchCompiled(ctx, span, c)
		return err
	})
	if err != nil { // what was given up may still write: the room is not used
		c.close()
		if c.room, err = s.openRoom(ctx); err != nil {
			return
		}
	} else {
		c.hit = hit
	}
	s.compiled = c
}

// newCompiled tells why this start has to do without where there is an error.
func (s *startup) newCompiled(ctx context.Context, cacher engine.Cacher, src source.Source, man *source.Manifest) (*compiled, error) {
	parts, err := cacher.CacheKey(s.state.Spec)
	if err != nil {
		return nil, err
	}
	digest, err := modelDigest(ctx, src, man)
	if err != nil {
		return nil, err
	}
	c := &compiled{cacher: cacher, key: compilecache.Key{Model: digest, Parts: parts}}
	if c.uri, err = below(s.opts.CompileCache, c.key.Name()); err != nil {
		return nil, err
	}
	if c.place, err = s.state.Sources.Open(ctx, c.uri); err != nil {
		return nil, err
	}
	c.room, err = s.openRoom(ctx)
	return c, err
}

func (s *startup) openRoom(ctx context.Context) (*compilecache.Room, error) {
	dir, err := s.opts.Cache.Folder("compile")
	if err != nil {
		return nil, err
	}
	return compilecache.NewRooms(dir).Open(ctx)
}

// below is the URI of a folder in the one that a user names, where a bare name is a directory.
func below(base, name string) (string, error) {
	if !strings.Contains(base, "://") {
		abs, err := filepath.Abs(base)
		if err != nil {
			return "", err
		}
		base = (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
	}
	return strings.TrimSuffix(base, "/") + "/" + name + "/", nil
}

// modelDigest identifies the files of a model by names, sizes and digests. Of those without a
// digest, the version stands for the content, and in a directory of this machine, whose
// versions mean nothing elsewhere, the content of small files, such as config.json.
func modelDigest(ctx context.Context, src source.Source, man *source.Manifest) (string, error) {
	const small = 1 << 20
	_, here := src.(source.InPlace)
	all := sha256.New()
	for _, f := range man.Files {
		id := f.Digest.String()
		switch {
		case id != "":
		case !here:
			id = f.Version
		case f.Size <= small:
			body, err := src.Open(ctx, f, 0, -1)
			if err != nil {
				return "", err
			}
			sum := sha256.New()
			_, err = io.Copy(sum, body)
			if err = errors.Join(err, body.Close()); err != nil {
				return "", err
			}
			id = hex.EncodeToString(sum.Sum(nil))
		}
		_, _ = fmt.Fprintf(all, "%q %d %q\n", f.Path, f.Size, id) // a hash never fails
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}

// fetchCompiled fills the room with what was published, and reports whether there was any.
func (s *startup) fetchCompiled(ctx context.Context, span lifecycle.Scope, c *compiled) (hit bool, err error) {
	man, err := s.state.Downloads.Resolve(ctx, c.place)
	if err != nil && !errors.Is(err, lifecycle.NotFound) {
		return false, err
	}
	var pack source.File
	if err == nil {
		pack, hit = man.File(packName)
	}
	if !hit {
		span.Progress(0, 0, "miss: what this start compiles is published as "+c.uri)
		return false, nil
	}
	only := man.Filter(func(f source.File) bool { return f.Path == packName })
	lease, err := s.opts.Cache.Acquire(ctx, s.state.Downloads, c.place, only, nil, s.moved(ctx, span, man.URI))
	if err != nil {
		return false, err
	}
	defer func() { _ = lease.Close() }() // nothing is left to do about a lock that cannot be released
	contents, err := unpackTo(ctx, c, filepath.Join(lease.Dir, packName))
	if err != nil {
		return false, err
	}
	span.Progress(pack.Size, pack.Size, fmt.Sprintf("hit: %d files, %d bytes, from %s", contents.Files, contents.Bytes, c.uri))
	return true, nil
}

func unpackTo(ctx context.Context, c *compiled, pack string) (compilecache.Contents, error) {
	f, err := os.Open(pack) //nolint:gosec // what was fetched, or the user's own
	if err != nil {
		return compilecache.Contents{}, err
	}
	defer func() { _ = f.Close() }()
	contents, err := compilecache.Unpack(ctx, f, c.room.Dir(), c.key)
	if errors.Is(err, compilecache.ErrBroken) {
		err = &lifecycle.Error{
			Op: "spinup.CompileCache", Kind: lifecycle.Corrupt, Target: c.uri + packName, Err: err,
			Hint: "remove it: the next start publishes it anew",
		}
	}
	return contents, err
}

// enterRoom tells the engine where its room is.
func (s *startup) enterRoom() {
	if s.compiled != nil {
		s.state.Spec.CacheDir = s.compiled.room.Dir()
	}
}

// checkRoom leaves the room where a hook has changed what its content depends on.
func (s *startup) checkRoom() {
	c := s.compiled
	if c == nil {
		return
	}
	parts, err := c.cacher.CacheKey(s.state.Spec)
	changed := c.key.Differs(compilecache.Key{Model: c.key.Model, Parts: parts})
	if err == nil && changed == "" && s.state.Spec.CacheDir == c.room.Dir() {
		return
	}
	s.scope.Skip(lifecycle.StageCompileCache, "not used: OnBeforeEngineStart has changed what it depends on")
	if s.state.Spec.CacheDir == c.room.Dir() {
		s.state.Spec.CacheDir = ""
	}
	c.close()
	s.compiled = nil
}

// doWithout reports whether the engine is to be started once more, as it failed with what
// another start has compiled.
func (s *startup) doWithout(ctx context.Context, failed error) bool {
	c := s.compiled
	if c == nil || !c.hit || ctx.Err() != nil || lifecycle.KindOf(failed) != lifecycle.EngineFailed {
		return false
	}
	s.scope.Skip(lifecycle.StageCompileCache, "the engine failed with "+c.uri+" and starts once more without: "+failed.Error())
	c.close()
	s.compiled, s.state.Spec.CacheDir = nil, ""
	return true
}

// publish offers what the engine has compiled to later starts: after ready, once per key, and
// whatever becomes of it is only told.
func (s *startup) publish(ctx context.Context) {
	c := s.compiled
	if c == nil || c.hit || !s.published.claim(c.key.Name()) {
		return
	}
	err := s.stage(ctx, lifecycle.StageCompileCache, "publishes "+c.uri, func(ctx context.Context, span lifecycle.Scope) error {
		said, err := c.publish(ctx)
		if err == nil {
			span.Progress(0, 0, said)
		}
		return err
	})
	if err != nil {
		s.published.release(c.key.Name())
	}
}

func (c *compiled) publish(ctx context.Context) (said string, err error) {
	to, ok := c.place.(source.Creator)
	if !ok {
		return "", &lifecycle.Error{
			Op: "spinup.CompileCache", Kind: lifecycle.Invalid, Target: c.uri, Err: errors.New("nothing can be stored there"),
			Hint: "let Options.CompileCache be a directory or s3://BUCKET/PREFIX",
		}
	}
	f, err := c.room.Create(packName)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	contents, err := compilecache.Pack(ctx, io.MultiWriter(f, sum), c.room.Dir(), c.key, c.cacher.Cached)
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
	if err = to.Create(ctx, pack, f); errors.Is(err, fs.ErrExist) {
		return "another start has published " + c.uri, nil
	}
	return fmt.Sprintf("published %s: %d files, %d bytes, packed %d", c.uri, contents.Files, contents.Bytes, size), err
}

// close removes the room; what cannot be removed now goes with a later start.
func (c *compiled) close() {
	if c != nil && c.room != nil {
		_ = c.room.Close()
	}
}

// claims are the keys that a model's replicas publish or have published. The zero value is
// ready to use.
type claims struct {
	mu    sync.Mutex
	taken map[string]bool
}

func (c *claims) claim(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken[name] {
		return false
	}
	if c.taken == nil {
		c.taken = map[string]bool{}
	}
	c.taken[name] = true
	return true
}

func (c *claims) release(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.taken, name)
}
