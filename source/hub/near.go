package hub

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
)

// revisions returns the branches and tags of the model; none on any error.
func (r *repo) revisions(ctx context.Context) []string {
	return parseRefs(r.lookup(ctx, "api/models/"+r.loc.id+"/refs", ""))
}

func parseRefs(data []byte) (names []string) {
	type ref struct {
		Name string `json:"name"`
	}
	var refs struct{ Branches, Tags []ref }
	_ = json.Unmarshal(data, &refs) // see lookup
	for _, x := range append(refs.Branches, refs.Tags...) {
		if isRef(x.Name) {
			names = append(names, x.Name)
		}
	}
	return names
}

// siblings returns models of the same organization, or of the same name; none on any error.
func (r *repo) siblings(ctx context.Context) []string {
	q := url.Values{"limit": {"300"}}
	if org, _, ok := strings.Cut(r.loc.id, "/"); ok {
		q.Set("author", org)
	} else {
		q.Set("search", r.loc.id)
	}
	return parseModels(r.lookup(ctx, "api/models", q.Encode()))
}

func parseModels(data []byte) (ids []string) {
	var models []struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(data, &models) // see lookup
	for _, m := range models {
		if isRepoID(m.ID) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// lookup asks for what only makes an error more helpful: what fails brings nothing.
func (r *repo) lookup(ctx context.Context, path, query string) []byte {
	at, err := r.set.at(path, query)
	if err != nil {
		return nil
	}
	data, _, err := r.page(ctx, at)
	if err != nil {
		return nil
	}
	return data
}
