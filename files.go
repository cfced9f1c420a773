package spinup

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// nodeFiles remembers, per node, the files of one model: all replicas of a node share one
// download and one run of the …Distributed hooks. The zero value is ready to use.
type nodeFiles struct {
	mu      sync.Mutex
	nodes   map[string]*shared
	users   int  // replicas that start or run
	retired bool // there will be no more
}

// shared is the work of the first replica of a node, and its result for the others.
type shared struct {
	done   chan struct{}
	owner  string // the replica that does it
	err    error
	result located
	lease  *download.Lease

	streams    bool // the engine reads the weights from this host
	arrival    *download.Arrival
	end        context.CancelFunc // of the arrival
	background sync.WaitGroup
}

// located is where a model's files are.
type located struct {
	Source   source.Source
	Manifest *source.Manifest
	Dir      string
	Weights  *url.URL          // nil means Dir
	Arrival  *download.Arrival // of the weights, on their way into Dir; nil when there is nothing to wait for
}

// claim returns the node's entry and whether the caller has to do the work. One whose
// folder is no longer there is done again; a failed one was forgotten.
func (n *nodeFiles) claim(node, owner string) (entry *shared, mine bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.nodes[node]; ok {
		if !known.lost() {
			return known, false
		}
		known.close()
	}
	if n.nodes == nil {
		n.nodes = map[string]*shared{}
	}
	entry = &shared{done: make(chan struct{}), owner: owner}
	n.nodes[node] = entry
	return entry, true
}

// forget lets the next replica of the node do the work again.
func (n *nodeFiles) forget(node string, entry *shared) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.nodes[node] == entry {
		delete(n.nodes, node)
	}
}

// enter tells of a replica that needs the files until leave, which is to be called once.
func (n *nodeFiles) enter() (leave func()) {
	n.use(1)
	return func() { n.use(-1) }
}

func (n *nodeFiles) use(more int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.users += more
	n.clear()
}

// retire gives the files up, with what is still on its way, once no replica needs them.
func (n *nodeFiles) retire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.retired = true
	n.clear()
}

// clear gives the leases back where nobody needs them; the caller holds the lock.
func (n *nodeFiles) clear() {
	if !n.retired || n.users > 0 {
		return
	}
	for _, entry := range n.nodes {
		entry.close()
	}
	n.nodes = nil
}

// lost reports that the work was done and its folder has gone since, or that the weights
// did not come.
func (e *shared) lost() bool {
	select {
	case <-e.done:
		_, err := os.Stat(e.result.Dir)
		return err != nil || e.arrival != nil && failed(e.arrival)
	default:
		return false
	}
}

func failed(a *download.Arrival) bool {
	select {
	case <-a.Done():
		return !arrived(a)
	default:
		return false
	}
}

func (e *shared) close() {
	if e.end != nil {
		e.end()
		e.background.Wait()
	}
	if e.arrival != nil {
		_ = e.arrival.Close() // as below
	}
	if e.lease != nil {
		_ = e.lease.Close() // nothing is left to do about a lock that cannot be released
	}
}

// files makes the model's files present on the node and sets Source, Manifest and Dir.
func (s *startup) files(ctx context.Context) error {
	for {
		entry, mine := s.nodes.claim(s.state.Node.ID(), s.scope.Replica)
		if mine {
			entry.err = s.bring(ctx, entry)
			if entry.err != nil {
				s.nodes.forget(s.state.Node.ID(), entry)
				entry.close()
			}
			close(entry.done)
			return entry.err
		}
		err := s.wait(ctx, entry)
		if err == nil {
			s.takeCompiled(ctx, s.state.Spec, s.state.Source, s.state.Manifest)
			return nil
		}
		if !errors.Is(err, lifecycle.Canceled) || ctx.Err() != nil {
			return err
		}
		// The replica that did the work was stopped: do it here.
	}
}

// wait shares the work of another replica of the node.
func (s *startup) wait(ctx context.Context, entry *shared) error {
	return s.scope.Run(ctx, lifecycle.StageDownload, func(ctx context.Context, span lifecycle.Scope) error {
		span.Progress(0, 0, "shared with "+entry.owner)
		select {
		case <-entry.done:
		case <-ctx.Done():
			return lifecycle.FromContext(ctx, "spinup.download", s.id())
		}
		s.state.Source, s.state.Manifest, s.state.Dir = entry.result.Source, entry.result.Manifest, entry.result.Dir
		s.state.Spec.Weights, s.arrival = entry.result.Weights, entry.result.Arrival
		return entry.err
	})
}

// bring runs the hooks, resolve, download and check. What does not depend on another runs
// beside it: independent callbacks beside everything, the check beside the download.
func (s *startup) bring(ctx context.Context, entry *shared) error {
	src, err := s.open(ctx)
	if err != nil {
		return lifecycle.InStage(err, lifecycle.StageResolve)
	}
	s.state.Source = src
	g, together := errgroup.WithContext(ctx)
	before := func() error {
		const name = "OnBeforeDownloadModelFilesDistributed"
		return s.hook(together, lifecycle.StageCallback, name, Callback.OnBeforeDownloadModelFilesDistributed)
	}
	if s.hooks.independent() {
		g.Go(before)
	} else if err := before(); err != nil {
		return errors.Join(err, g.Wait())
	}
	g.Go(func() error { return s.fetch(together, entry) })
	if err := g.Wait(); err != nil {
		return err
	}
	entry.result = located{
		Source: s.state.Source, Manifest: s.state.Manifest, Dir: s.state.Dir, Weights: s.state.Spec.Weights, Arrival: s.arrival,
	}
	const name = "OnAfterDownloadModelFilesDistributed"
	return s.hook(ctx, lifecycle.StageCallback, name, Callback.OnAfterDownloadModelFilesDistributed)
}

// fetch resolves the model, then downloads and checks it at the same time: a model that
// cannot work ends its own download.
func (s *startup) fetch(ctx context.Context, entry *shared) error {
	src := s.state.Source
	err := s.stage(ctx, lifecycle.StageResolve, "", func(ctx context.Context, span lifecycle.Scope) (err error) {
		s.state.Manifest, err = s.resolve(ctx, s.telling(src, span))
		if err == nil {
			span.Progress(0, s.state.Manifest.Size(), resolved(src, s.state.Manifest))
		}
		return err
	})
	if err != nil {
		return err
	}
	man, spec := s.state.Manifest, s.state.Spec // download writes into that of the state
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return s.stage(ctx, lifecycle.StageCheck, "", func(ctx context.Context, span lifecycle.Scope) error {
			return s.checkFiles(ctx, s.telling(src, span), man)
		})
	})
	g.Go(func() error { return s.download(ctx, src, man, entry) })
	g.Go(func() error { return s.extraFiles(ctx) })
	g.Go(func() error {
		s.takeCompiled(ctx, spec, src, man)
		return nil
	})
	return g.Wait()
}

// resolved tells what was found, and of how many files that have to be fetched nothing but
// the size can be checked.
func resolved(src source.Source, man *source.Manifest) string {
	bare := man.Filter(func(f source.File) bool { return f.Digest == source.Digest{} })
	if _, here := src.(source.InPlace); here || len(bare.Files) == 0 {
		return man.URI
	}
	return fmt.Sprintf("%s; %d of %d files have no checksum, their sizes are checked", man.URI, len(bare.Files), len(man.Files))
}

// download brings the files to the directory that a hook chose, else to the cache. Files
// that are on this machine already stay where they are, and so do weights that the engine
// streams.
func (s *startup) download(ctx context.Context, src source.Source, man *source.Manifest, entry *shared) error {
	if here, ok := src.(source.InPlace); ok && s.state.Dir == "" {
		s.state.Dir = here.LocalDir()
		s.scope.Skip(lifecycle.StageDownload, "the files are in "+s.state.Dir)
		return nil
	}
	err := s.stage(ctx, lifecycle.StageDownload, man.URI, func(ctx context.Context, span lifecycle.Scope) error {
		wanted, err := s.toFetch(span, man, entry)
		if err != nil {
			return err
		}
		report := s.moved(ctx, span, man.URI)
		if s.state.Dir != "" {
			return fetchTo(ctx, s.state.Downloads, src, wanted, s.state.Dir, report)
		}
		lease, err := s.opts.Cache.Acquire(ctx, s.state.Downloads, src, wanted, nil, report)
		if err != nil {
			return err
		}
		entry.lease, s.state.Dir = lease, lease.Dir
		return nil
	})
	if err == nil && entry.streams {
		err = s.arrive(ctx, src, man, entry)
	}
	return err
}

// moved reports what a download tells, but only when something has moved: a snapshot that
// tells nothing new is no progress. What is waited for is told once.
func (s *startup) moved(ctx context.Context, span lifecycle.Scope, uri string) func(download.Progress) {
	tell := onChange(func(p download.Progress) { span.Progress(p.BytesDone, p.Bytes, waiting(p)) })
	fetched := int64(0)
	return func(p download.Progress) {
		tell(p)
		if p.Fetched > fetched {
			s.telemetry.Fetched(ctx, uri, p.Fetched-fetched)
		}
		fetched = p.Fetched
	}
}

// onChange leaves out what repeats, so that a download that stands still is no progress.
func onChange(report func(download.Progress)) func(download.Progress) {
	last := download.Progress{BytesDone: -1}
	return func(p download.Progress) {
		if p.BytesDone != last.BytesDone || p.FilesDone != last.FilesDone || p.Waiting != last.Waiting {
			report(p)
		}
		last = p
	}
}

func waiting(p download.Progress) string {
	if p.Waiting == "" {
		return ""
	}
	return "waits for " + p.Waiting
}

// extraFiles brings the files that the configuration wants beside the model.
func (s *startup) extraFiles(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, f := range s.cfg.ModelLoadingConfig.ModelSource.ExtraFiles {
		g.Go(func() error {
			from := source.Redact(f.BucketURI)
			return s.stage(ctx, lifecycle.StageDownload, from, func(ctx context.Context, span lifecycle.Scope) error {
				return copyTo(ctx, s.state, f.BucketURI, f.DestinationPath, s.moved(ctx, span, from))
			})
		})
	}
	return g.Wait()
}

// fetchTo brings the files of man to dir, telling of its progress.
func fetchTo(ctx context.Context, m *download.Manager, src source.Source, man *source.Manifest, dir string, report func(download.Progress)) error {
	plan, err := m.Plan(ctx, man, filepath.Clean(dir))
	if err != nil {
		return err
	}
	for p, err := range m.Run(ctx, src, plan) {
		if err != nil {
			return err
		}
		report(p)
	}
	return nil
}
