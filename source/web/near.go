package web

import (
	"context"
	"net/url"
	"path"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// nothing is the error for a location where nothing is. It names what is nearest.
func (s *site) nothing(ctx context.Context, cause error) error {
	if ended := lifecycle.FromContext(ctx, opResolve, s.loc.String()); ended != nil {
		return ended
	}
	e := &lifecycle.Error{
		Op: opResolve, Kind: lifecycle.NotFound, Target: s.loc.String(), Hint: form,
		Err: &failure{s.auth.text(cause.Error()), cause},
	}
	for dir := strings.TrimSuffix(s.loc.at.Path, "/"); dir != ""; {
		word := path.Base(dir)
		if dir = path.Dir(dir); dir == "/" {
			dir = ""
		}
		at := &url.URL{Scheme: s.loc.at.Scheme, Host: s.loc.at.Host, Path: dir + "/"}
		if names := s.children(ctx, at); len(names) > 0 {
			e.Hint = "in " + shown(at) + " " + nearest.Hint(word, names) + "; " + form
			break
		}
	}
	return e
}

// children returns the names that the index of a folder shows; none on any error.
func (s *site) children(ctx context.Context, at *url.URL) []string {
	page, from, html, err := s.page(ctx, at)
	if err != nil || !html {
		return nil
	}
	var names []string
	for _, e := range links(page, from) {
		names = append(names, e.name)
	}
	return names
}
