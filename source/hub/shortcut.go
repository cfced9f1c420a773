package hub

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/spinup-llm/spinup/source"
)

// cacheRoute is where the hub answers for small files of a commit. It redirects there.
const cacheRoute = "/api/resolve-cache/models/"

// A shortcut is how small files are had with one request each: the first one is asked for
// as every file is, and when the hub itself has redirected to its address of the commit, the
// others are asked for there at once.
type shortcut struct {
	turn  chan struct{} // of the one who finds out
	found atomic.Int32  // what was found out
}

const (
	unknown = iota
	usable
	useless
)

// fetchSmall gets the bytes of a small file. While it is not known whether there is a
// shortcut, one finds out and the others wait.
func (r *repo) fetchSmall(ctx context.Context, p *pin, f source.File, id, commit, ranges string) (*answer, error) {
	if r.small.found.Load() == unknown {
		if err := take(ctx, r.small.turn); err != nil {
			return nil, err
		}
		defer give(r.small.turn)
	}
	if a, err := r.tryShort(ctx, f, id, commit, ranges); a != nil || err != nil {
		return a, err
	}
	return r.locate(ctx, p, f, ranges, func() (*answer, error) {
		a, err := r.ask(ctx, f, id, commit, ranges)
		if err == nil {
			r.learn(a, f, id, commit)
		}
		return a, err
	})
}

// tryShort gets a small file by the shortcut; nil means that it is to be had otherwise.
func (r *repo) tryShort(ctx context.Context, f source.File, id, commit, ranges string) (*answer, error) {
	if r.small.found.Load() != usable {
		return nil, nil
	}
	at, err := r.shortAddress(f, id, commit)
	if err != nil {
		return nil, err
	}
	a, err := r.get(ctx, query{at: at, ranges: ranges})
	if no, ok := errors.AsType[*refusal](err); ok && no.expired() {
		r.small.found.Store(useless)
		return nil, nil
	}
	return a, err
}

// shortAddress is the address as the hub's redirects have it.
func (r *repo) shortAddress(f source.File, id, commit string) (*url.URL, error) {
	at, err := r.fileAddress(id, commit, f.Path)
	if err != nil {
		return nil, err
	}
	file := strings.TrimPrefix(at.EscapedPath(), r.set.endpoint.EscapedPath()+"/"+id+"/resolve/")
	return r.set.at(strings.TrimPrefix(cacheRoute, "/")+id+"/"+file,
		url.QueryEscape(at.EscapedPath())+"=&etag="+url.QueryEscape(`"`+f.Version+`"`))
}

// learn notes whether the hub answered at the address that the shortcut would have taken.
func (r *repo) learn(a *answer, f source.File, id, commit string) {
	if r.small.found.Load() == useless {
		return
	}
	found := int32(useless)
	want, err := r.shortAddress(f, id, commit)
	got := a.Request.URL
	if err == nil && a.StatusCode < http.StatusMultipleChoices && sameOrigin(got, want) && got.EscapedPath() == want.EscapedPath() {
		found = usable
	}
	r.small.found.Store(found)
}

// isSmall reports whether git has the file itself, in a commit that is known.
func isSmall(f source.File, commit string) bool {
	return f.Digest.Algorithm == "git-sha1" && f.Digest.Hex == f.Version && commitID.MatchString(commit)
}
