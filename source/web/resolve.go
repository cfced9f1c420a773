package web

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"golang.org/x/sync/errgroup"
)

const (
	opResolve = "source.Resolve"
	maxFiles  = 100_000
	maxPages  = 1000 // folders
	maxDepth  = 32
	maxHeads  = 32 // at the same time
)

// Resolve implements source.Source: it lists the folder, or finds the file. The revision is
// a digest of the listing with its versions.
func (s *site) Resolve(ctx context.Context) (*source.Manifest, error) {
	if !s.loc.folder {
		if f, err := s.file(ctx); f != nil || err != nil {
			return s.manifest(err, f...)
		}
	}
	sums, err := s.sums(ctx)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(sums))
	if !s.loc.sums {
		found, walkErr := s.walk(ctx)
		if walkErr != nil && (len(sums) == 0 || !unlisted(walkErr)) {
			return nil, s.folderError(ctx, walkErr)
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return nil, s.nothing(ctx, errors.New("the page lists no files"))
	}
	s.single.Store(false)
	files, err := s.stats(ctx, names, sums)
	return s.manifest(err, files...)
}

func (s *site) manifest(err error, files ...source.File) (*source.Manifest, error) {
	if err != nil {
		return nil, err
	}
	return source.NewManifest(s.loc.String(), "", files)
}

// file returns the one file at the location, or nil where the server says that it is a folder.
func (s *site) file(ctx context.Context) ([]source.File, error) {
	f, from, err := s.stat(ctx, s.loc.file())
	if statusOf(err) == http.StatusNotFound {
		return nil, s.nothing(ctx, err)
	}
	if err != nil {
		return nil, s.explain(ctx, about{opResolve, s.loc.String(), s.loc.at, false}, err)
	}
	if strings.HasSuffix(from.Path, "/") {
		return nil, nil
	}
	f.Path = s.loc.base()
	s.single.Store(true)
	return []source.File{f}, nil
}

// sums reads the list of digests of the folder; it may be absent.
func (s *site) sums(ctx context.Context) (map[string]source.Digest, error) {
	at := s.loc.child(sumsName)
	text, _, html, err := s.page(ctx, at)
	if !s.loc.sums && (html || unlisted(err)) { // a page for everything that is not there
		return nil, nil
	}
	if statusOf(err) == http.StatusNotFound {
		return nil, s.nothing(ctx, err)
	}
	if err != nil {
		return nil, s.explain(ctx, about{opResolve, shown(at), at, false}, err)
	}
	sums, err := parseSums(text)
	if err == nil && len(sums) > maxFiles {
		err = errMany
	}
	if err != nil {
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.Invalid, Target: shown(at), Err: err, Hint: "write it with sha256sum FILE…",
		}
	}
	return sums, nil
}

// unlisted reports an answer that only says that the server does not show the page.
func unlisted(err error) bool {
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusForbidden, http.StatusGone:
		return true
	default:
		return false
	}
}

var errMany = fmt.Errorf("there are more than %d files or %d folders", maxFiles, maxPages)

// walk returns the paths of the files that the index of the folder leads to.
func (s *site) walk(ctx context.Context) ([]string, error) {
	var files []string
	folders := []string{""}
	for i := 0; i < len(folders); i++ {
		dir := folders[i]
		page, from, html, err := s.page(ctx, s.folder(dir))
		if err != nil {
			return nil, err
		}
		if !html {
			return nil, errNoIndex
		}
		for _, e := range links(page, from) {
			if !e.folder {
				files = append(files, dir+e.name)
				continue
			}
			if err := source.CheckPath(dir + e.name); err != nil {
				return nil, err
			}
			folders = append(folders, dir+e.name+"/")
		}
		if len(files) > maxFiles || len(folders) > maxPages || strings.Count(dir, "/") > maxDepth {
			return nil, errMany
		}
	}
	return files, nil
}

var errNoIndex = errors.New("the server shows no index of the folder")

// folder is the address of a folder below, whose name ends in a slash or is empty.
func (s *site) folder(dir string) *url.URL { return s.loc.child(dir) }

func (s *site) folderError(ctx context.Context, err error) error {
	if _, own := errors.AsType[*lifecycle.Error](err); own {
		return err
	}
	switch {
	case statusOf(err) == http.StatusNotFound:
		return s.nothing(ctx, err)
	case errors.Is(err, errMany):
		return &lifecycle.Error{Op: opResolve, Kind: lifecycle.Invalid, Target: s.loc.String(), Err: err, Hint: "give the folder of one model"}
	case errors.Is(err, errNoIndex):
		return &lifecycle.Error{Op: opResolve, Kind: lifecycle.Invalid, Target: s.loc.String(), Err: err, Hint: listHint}
	}
	at := s.loc.at
	if no, ok := errors.AsType[*refusal](err); ok {
		at = no.at
	}
	return s.explain(ctx, about{opResolve, shown(at), at, false}, err)
}

// stats asks for the size and version of each file.
func (s *site) stats(ctx context.Context, names []string, sums map[string]source.Digest) ([]source.File, error) {
	files := make([]source.File, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxHeads)
	for i, name := range names {
		files[i].Path = name
		if source.CheckPath(name) != nil {
			continue // the manifest reports all such names
		}
		g.Go(func() error {
			at := s.loc.child(name)
			f, from, err := s.stat(ctx, at)
			if err == nil && strings.HasSuffix(from.Path, "/") {
				err = &refusal{http.StatusNotFound, at, nil} // a folder that the index shows like a file
			}
			if err != nil {
				return s.explain(ctx, about{opResolve, shown(at), at, true}, err)
			}
			f.Path, f.Digest = name, sums[name]
			files[i] = f
			return nil
		})
	}
	return files, g.Wait()
}
