package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	// maxFiles bounds a listing: no model has so many.
	maxFiles = 100_000
	// maxJSON bounds an answer of the API, in bytes. A page of a tree has some 300 KB.
	maxJSON = 64 << 20
)

// parseTree reads one page.
func parseTree(data []byte) (listing, error) {
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("the tree is not the hub's JSON: %w", err)
	}
	var files listing
	for _, e := range entries {
		if e.Type != "file" {
			continue
		}
		if !e.valid() {
			return nil, fmt.Errorf("the tree has no digest of %q", e.Path)
		}
		files = append(files, e)
	}
	return files, nil
}

// tree lists the files of a commit, page after page.
func (r *repo) tree(ctx context.Context, id, sha string) (listing, error) {
	next, err := r.set.at("api/models/"+id+"/tree/"+url.PathEscape(sha), "recursive=true&expand=false")
	if err != nil {
		return nil, err
	}
	var all listing
	seen := map[string]bool{}
	for next != nil {
		if seen[next.String()] {
			return nil, errors.New("the pages of the tree go in a circle")
		}
		seen[next.String()] = true
		data, page, err := r.page(ctx, next)
		if err != nil {
			return nil, err
		}
		files, err := parseTree(data)
		if err != nil {
			return nil, err
		}
		if all = append(all, files...); len(all) > maxFiles || len(seen) > maxFiles {
			return nil, &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Invalid, Target: r.loc.String(),
				Err: fmt.Errorf("there are more than %d files", maxFiles), Hint: "give the repository of one model",
			}
		}
		next = page
	}
	return all, nil
}

// page returns an answer of the API, and where the next one is.
func (r *repo) page(ctx context.Context, at *url.URL) ([]byte, *url.URL, error) {
	a, err := r.get(ctx, query{at: at})
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = a.Close() }()
	data, err := io.ReadAll(io.LimitReader(a.Body, maxJSON+1))
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("the answer breaks off: %w", err)
	case len(data) > maxJSON:
		return nil, nil, errors.New("the answer is too long")
	}
	return data, nextPage(a.Header, a.Request.URL), nil
}
