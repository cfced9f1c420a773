package hub

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"

	"github.com/spinup-llm/spinup/source"
)

const opResolve = "source.Resolve"

// Resolve implements source.Source. The manifest's URI has the id that the model has now,
// also where the one that was given is an old name of it. A commit that the cache knows
// costs no request.
func (r *repo) Resolve(ctx context.Context) (*source.Manifest, error) {
	if r.set.offline != "" {
		return r.resolveOffline(ctx)
	}
	id, sha, err := r.commit(ctx)
	if err != nil {
		return nil, r.listError(ctx, err)
	}
	m, err := r.manifest(id, sha, readKept(r.dir(), sha))
	if err != nil || len(m.Files) == 0 {
		all, err := r.tree(ctx, id, sha)
		if err != nil {
			return nil, r.listError(ctx, err)
		}
		if m, err = r.manifest(id, sha, all); err != nil {
			return nil, err
		}
	}
	return r.choose(ctx, m)
}

// manifest makes one of a listing, and notes where its files are.
func (r *repo) manifest(id, sha string, all listing) (*source.Manifest, error) {
	m, err := source.NewManifest(location{id: id}.canonical(), sha, all.files())
	if err != nil {
		return nil, err
	}
	r.pin(id, m, all)
	return m, nil
}

// commit returns what the revision means now, and the id of the model.
func (r *repo) commit(ctx context.Context) (id, sha string, err error) {
	if r.loc.pinned() {
		return r.loc.id, r.loc.revision, nil
	}
	at, err := r.set.at("api/models/"+r.loc.id+"/revision/"+url.PathEscape(r.loc.revision), "")
	if err != nil {
		return "", "", err
	}
	data, _, err := r.page(ctx, at)
	if err != nil {
		return "", "", err
	}
	return r.loc.parseRevision(data)
}

func (l location) parseRevision(data []byte) (id, sha string, err error) {
	var info struct {
		ID  string `json:"id"`
		SHA string `json:"sha"`
	}
	if json.Unmarshal(data, &info) != nil || !commitID.MatchString(info.SHA) {
		return "", "", errors.New("the answer about the revision is not the hub's JSON")
	}
	if !isRepoID(info.ID) {
		info.ID = l.id
	}
	return info.ID, info.SHA, nil
}
