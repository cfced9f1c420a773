package download

import (
	"context"
	"runtime"

	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

// recognize takes files for complete that lie there and were never verified here: their source
// tells digests late, so a plan could not hold them against one. What cannot be recognized is
// fetched, which says why.
func (r *run) recognize(ctx context.Context, findings []finding) {
	src, ok := r.src.(source.Digester)
	if !ok {
		return
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range findings {
		if f := &findings[i]; f.unproven {
			group.Go(func() error {
				f.complete = r.proves(ctx, src, f.file)
				return nil
			})
		}
	}
	_ = group.Wait() // none fails
}

// proves reports whether what lies there is f, and notes that.
func (r *run) proves(ctx context.Context, src source.Digester, f source.File) bool {
	var err error
	if f.Digest, err = r.question(ctx, src, f); err != nil {
		return false
	}
	info, ok := regular(r.place.root, f.Path)
	return ok && hashes(ctx, r.place.root, f) && r.notes.add(record(f, info)) == nil
}
