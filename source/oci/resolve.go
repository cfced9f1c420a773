package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"oras.land/oras-go/v2/registry/remote/auth"
)

const opResolve = "source.Resolve"

// maxManifest is how long a manifest may be, in bytes: registries take no longer ones.
const maxManifest = 4 << 20

// accepted are the kinds of manifests that a registry may answer with.
const accepted = ocispec.MediaTypeImageManifest + ", " + ocispec.MediaTypeImageIndex + ", " +
	"application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json"

// Resolve implements source.Source: one request for the manifest, two with an index.
func (a *artifact) Resolve(ctx context.Context) (*source.Manifest, error) {
	m, revision, err := a.manifest(ctx, a.ref)
	if err != nil {
		return nil, err
	}
	if len(m.Manifests) > 0 {
		if m, revision, err = a.follow(ctx, m); err != nil {
			return nil, err
		}
	}
	files, err := filesOf(m)
	if err != nil {
		return nil, a.invalid(err)
	}
	return source.NewManifest(a.ref.canonical(), revision, files)
}

// A document is a manifest or an index.
type document struct {
	Layers    []ocispec.Descriptor `json:"layers"`
	Manifests []ocispec.Descriptor `json:"manifests"`
}

// follow takes the one artifact of an index.
func (a *artifact) follow(ctx context.Context, index document) (document, string, error) {
	if n := len(index.Manifests); n != 1 {
		var all []string
		for _, d := range index.Manifests[:min(n, 5)] {
			all = append(all, d.Digest.String())
		}
		return document{}, "", &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.Invalid, Target: a.ref.String(),
			Err:  fmt.Errorf("it is an index of %d artifacts", n),
			Hint: "give the digest of one, as oci://REGISTRY/REPOSITORY@DIGEST: " + strings.Join(all, ", "),
		}
	}
	d := index.Manifests[0].Digest
	if d.Validate() != nil {
		return document{}, "", a.invalid(&layerFault{"the index names no digest"})
	}
	return a.manifest(ctx, a.ref.tagged(d.String()))
}

// manifest fetches what ref names, and its digest.
func (a *artifact) manifest(ctx context.Context, ref reference) (document, string, error) {
	what := request{op: opResolve, target: a.ref.String()}
	res, err := a.get(ctx, a.asks, "/manifests/"+ref.Reference.Reference, http.Header{"Accept": {accepted}})
	if err != nil {
		return document{}, "", a.notFound(ctx, a.explain(ctx, what, err))
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxManifest+1))
	if err != nil {
		return document{}, "", a.explain(ctx, what, err)
	}
	revision := digest.FromBytes(data)
	if ref.pinned() {
		want := digest.Digest(ref.Reference.Reference)
		if revision = want.Algorithm().FromBytes(data); revision != want {
			return document{}, "", &lifecycle.Error{
				Op: opResolve, Kind: lifecycle.Corrupt, Target: ref.String(),
				Err:  fmt.Errorf("the manifest has the digest %s", revision),
				Hint: "the registry is damaged, or something between changes its answers: push the artifact again",
			}
		}
	}
	doc, err := parseManifest(data)
	if err != nil {
		return document{}, "", a.invalid(err)
	}
	return doc, revision.String(), nil
}

// parseManifest reads a manifest or an index.
func parseManifest(data []byte) (document, error) {
	var doc document
	switch {
	case len(data) > maxManifest:
		return doc, &layerFault{"the manifest is longer than 4 MiB"}
	case json.NewDecoder(bytes.NewReader(data)).Decode(&doc) != nil:
		return doc, &layerFault{"the registry's answer is no manifest"}
	case len(doc.Layers) == 0 && len(doc.Manifests) == 0:
		return doc, &layerFault{"the artifact has no layers"}
	}
	return doc, nil
}

func (a *artifact) invalid(err error) error {
	e := &lifecycle.Error{Op: opResolve, Kind: lifecycle.Invalid, Target: a.ref.String(), Err: err, Hint: pushHint}
	if own, ok := errors.AsType[*lifecycle.Error](err); ok {
		e.Err = own
	}
	return e
}

// get sends a GET for path below the repository. An answer that is no success is an error.
func (a *artifact) get(ctx context.Context, client *auth.Client, path string, header http.Header) (*http.Response, error) {
	ctx = auth.AppendRepositoryScope(ctx, a.ref.Reference, auth.ActionPull)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, header)
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusPartialContent {
		return nil, refusal(res)
	}
	return res, nil
}
