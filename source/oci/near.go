package oci

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// notFound adds to an error about a manifest that is not there which tags are near, or
// which repositories, where the registry lists them.
func (a *artifact) notFound(ctx context.Context, err error) error {
	e, ok := errors.AsType[*lifecycle.Error](err)
	if !ok || e.Kind != lifecycle.NotFound {
		return err
	}
	var tags struct{ Tags []string }
	if a.listed(ctx, a.base+"/tags/list?n=1000", &tags); len(tags.Tags) > 0 {
		e.Hint = "the repository exists, and " + nearest.Hint(a.ref.Reference.Reference, tags.Tags) + "; " + e.Hint
		return err
	}
	var all struct{ Repositories []string }
	root := strings.TrimSuffix(a.base, a.ref.Repository)
	scoped := auth.AppendScopes(ctx, auth.ScopeRegistryCatalog)
	if a.listed(scoped, root+"_catalog?n=1000", &all); len(all.Repositories) > 0 {
		e.Hint = nearest.Hint(a.ref.Repository, all.Repositories) + "; " + e.Hint
	}
	return err
}

// listed reads a list into v; where there is none, v stays as it is.
func (a *artifact) listed(ctx context.Context, at string, v any) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, http.NoBody)
	if err != nil {
		return
	}
	res, err := a.reads.Do(req)
	if err != nil {
		return
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode == http.StatusOK {
		_ = json.NewDecoder(io.LimitReader(res.Body, maxManifest)).Decode(v) // a hint, no more
	}
}
