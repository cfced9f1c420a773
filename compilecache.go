package spinup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	uri    string        // of place, without secrets
	room   *compilecache.Room
	hit    bool
}

// takeCompiled finds what the start can use of the compile cache. A failure is told, and the
// start goes on without.
func (s *startup) takeCompiled(ctx context.Context, spec engine.Spec, src source.Source, man *source.Manifest) {
	if s.opts.CompileCache == "" {
		return
	}
	cacher, ok := s.engine.(engine.Cacher)
	if !ok {
		s.scope.Skip(lifecycle.StageCompileCache, s.engine.Name()+" keeps nothing that it compiles")
		return
	}
	c, err := s.newCompiled(ctx, spec, cacher, src, man)
	if err != nil {
		s.scope.Skip(lifecycle.StageCompileCache, err.Error())
		return
	}
	hit := false
	err = s.stage(ctx, lifecycle.StageCompileCache, c.uri, func(ctx context.Context, span lifecycle.Scope) (err error) {
		hit, err = s.fetchCompiled(ctx, span, c)
		return err
	})
	if c.hit = err == nil && hit; err != nil { // what was given up may still write: the room is not used
		c.close()
		if c.room, err = s.openRoom(ctx); err != nil {
			s.scope.Skip(lifecycle.StageCompileCache, err.Error())
			return
		}
	}
	s.compiled = c
}

// newCompiled tells why this start has to do without where there is an error.
func (s *startup) newCompiled(ctx context.Context, spec engine.Spec, cacher engine.Cacher, src source.Source, man *source.Manifest) (*compiled, error) {
	parts, err := cacher.CacheKey(spec)
	if err != nil {
		return nil, err
	}
	digest, err := modelDigest(ctx, src, man)
	if err != nil {
		return nil, err
	}
	c := &compiled{cacher: cacher, key: compilecache.Key{Model: digest, Parts: parts}}
	if c.place, c.uri, err = openCompileCache(ctx, s.opts.CompileCache, s.state.Sources, c.key.Name()); err != nil {
		return nil, err
	}
	c.room, err = s.openRoom(ctx)
	return c, err
}

// checkCompileCache refuses an Options.CompileCache that no start of m could use.
func (m *model) checkCompileCache(ctx context.Context) error {
	if m.opts.CompileCache == "" {
		return nil
	}
	if _, _, err := openCompileCache(ctx, m.opts.CompileCache, m.opts.Sources.WithEnv(m.env), "KEY"); err != nil {
		return fmt.Errorf("Options.CompileCache: %w", err)
	}
	return nil
}

// openCompileCache opens the folder of a key. The URI that it returns shows no secrets.
func openCompileCache(ctx context.Context, base string, sources *source.Mux, key string) (place source.Source, uri string, err error) {
	uri, err = below(base, key)
	if err != nil {
		return nil, "", err
	}
	place, err = sources.Open(ctx, uri)
	return place, source.Redact(uri), err
}

func (s *startup) openRoom(ctx context.Context) (*compilecache.Room, error) {
	dir, err := s.opts.Cache.Folder("compile")
	if err != nil {
		return nil, err
	}
	return compilecache.NewRooms(dir).Open(ctx)
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

// close removes the room; what cannot be removed now goes with a later start.
func (c *compiled) close() {
	if c != nil && c.room != nil {
		_ = c.room.Close()
	}
}
