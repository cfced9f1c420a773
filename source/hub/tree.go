package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	// maxFiles bounds a listing: no model has so many.
	maxFiles = 100_000
	// maxJSON bounds an answer of the API, in bytes. A page of a tree has some 300 KB.
	maxJSON = 64 << 20
)

// An entry is one line of a tree, as the hub writes it.
type entry struct {
	Type string `json:"type"`
	OID  string `json:"oid"`
	Size int64  `json:"size"`
	Path string `json:"path"`
	LFS  *struct {
		OID  string `json:"oid"`
		Size int64  `json:"size"`
	} `json:"lfs"`
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// file makes a file of the entry: LFS names it by SHA-256, git by the SHA-1 of its blob.
func (e entry) file() (source.File, error) {
	f := source.File{Path: e.Path, Size: e.Size, Version: e.OID, Digest: source.Digest{Algorithm: "git-sha1", Hex: e.OID}}
	valid := commitID
	if e.LFS != nil {
		f.Size, f.Version, f.Digest, valid = e.LFS.Size, e.LFS.OID, source.Digest{Algorithm: "sha256", Hex: e.LFS.OID}, sha256Hex
	}
	if !valid.MatchString(f.Version) {
		return source.File{}, fmt.Errorf("the tree has no digest of %q", e.Path)
	}
	return f, nil
}

// parseTree reads one page.
func parseTree(data []byte) ([]source.File, error) {
	var entries []entry
	if err := json.Unmarshal(data, &entries); err != nil {
		return nil, fmt.Errorf("the tree is not the hub's JSON: %w", err)
	}
	var files []source.File
	for _, e := range entries {
		if e.Type != "file" {
			continue
		}
		f, err := e.file()
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// tree lists the files of a commit, page after page.
func (r *repo) tree(ctx context.Context, id, sha string) ([]source.File, error) {
	next, err := r.set.at("api/models/"+id+"/tree/"+url.PathEscape(sha), "recursive=true&expand=false")
	if err != nil {
		return nil, err
	}
	var all []source.File
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
