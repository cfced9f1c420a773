package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/internal/owed"
	"github.com/spinup-llm/spinup/source/internal/streams"
)

const opRead = "source.Read"

var errChanged = errors.New("the hub has another file under that name now")

// Open implements source.Source: one GET, and before it one for the link of a large file,
// which later calls use as well, or for the first of the small ones.
func (r *repo) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	if err := source.CheckPath(f.Path); err != nil {
		return nil, err
	}
	n, err := f.Clip(off, n)
	if err != nil || n == 0 {
		return http.NoBody, err
	}
	if r.set.offline != "" {
		return r.openOffline(ctx, f, off, n)
	}
	if off == 0 {
		if data := r.held(f, n); data != nil {
			return data, nil
		}
	}
	ranges := ""
	if n < f.Size {
		ranges = fmt.Sprintf("bytes=%d-%d", off, off+n-1)
	}
	want := streams.Range{Key: f.Path + " " + f.Version, Size: f.Size, Off: off, Len: n}
	b, err := r.streams.Open(ctx, want, func(ctx context.Context) (streams.Answer, error) {
		a, failed := r.fetch(ctx, f, ranges)
		if failed != nil {
			return streams.Answer{}, failed
		}
		return a.read(f, off, n)
	})
	if err != nil {
		return nil, r.readError(ctx, f, err)
	}
	return owed.New(ctx, b, n, func(err error) error { return r.readError(ctx, f, err) }), nil
}

// fetch gets the bytes by the link that is known, or by a new one.
func (r *repo) fetch(ctx context.Context, f source.File, ranges string) (*answer, error) {
	p, id, commit := r.pinOf(f)
	if link := p.link.Load(); link != nil {
		a, err := r.get(ctx, query{at: link, ranges: ranges})
		if no, ok := errors.AsType[*refusal](err); !ok || !no.expired() {
			return a, err
		}
		p.link.CompareAndSwap(link, nil)
	}
	if isSmall(f, commit) {
		return r.fetchSmall(ctx, p, f, id, commit, ranges)
	}
	return r.locate(ctx, p, f, ranges, func() (*answer, error) { return r.ask(ctx, f, id, commit, ranges) })
}

// locate gets the bytes by a new link, or as the hub sends them itself.
func (r *repo) locate(ctx context.Context, p *pin, f source.File, ranges string, ask func() (*answer, error)) (*answer, error) {
	link, a, err := r.newLink(ctx, p, f, ask)
	if a != nil || err != nil {
		return a, err
	}
	return r.get(ctx, query{at: link, ranges: ranges})
}

// newLink returns the link of a file, or the answer that has its bytes. Of many callers one
// asks, and the others take its link.
func (r *repo) newLink(ctx context.Context, p *pin, f source.File, ask func() (*answer, error)) (*url.URL, *answer, error) {
	if !p.direct.Load() {
		if err := take(ctx, p.turn); err != nil {
			return nil, nil, err
		}
		defer give(p.turn)
		if link := p.link.Load(); link != nil {
			return link, nil, nil
		}
	}
	a, err := ask()
	if err != nil {
		return nil, nil, err
	}
	if a.etag != "" && f.Version != "" && a.etag != f.Version || a.size >= 0 && a.size != f.Size {
		_ = a.Close()
		return nil, nil, errChanged
	}
	if a.elsewhere != nil {
		p.link.Store(a.elsewhere)
		return a.elsewhere, nil, nil
	}
	p.direct.Store(true)
	return nil, a, nil
}

// ask asks the hub for a file of a commit. Where the commit is gone because history was
// rewritten, the revision that the user named may still have it.
func (r *repo) ask(ctx context.Context, f source.File, id, commit, ranges string) (*answer, error) {
	at, err := r.fileAddress(id, commit, f.Path)
	if err != nil {
		return nil, err
	}
	a, err := r.get(ctx, query{at: at, ranges: ranges, home: true})
	if no, ok := errors.AsType[*refusal](err); !ok || no.code != codeNoRevision || commit == r.loc.revision {
		return a, err
	}
	if at, err = r.fileAddress(id, r.loc.revision, f.Path); err != nil {
		return nil, err
	}
	return r.get(ctx, query{at: at, ranges: ranges, home: true})
}
