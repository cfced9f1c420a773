package oci

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"oras.land/oras-go/v2/registry"
)

const form = "a URI of a registry has the form oci://REGISTRY/REPOSITORY:TAG or oci://REGISTRY/REPOSITORY@sha256:DIGEST"

// hostName has a dot, a port or is localhost, as for every tool of containers.
var hostName = regexp.MustCompile(`^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$`)

// A reference is what a URI says.
type reference struct {
	registry.Reference
	anonymous bool
}

func parse(u *url.URL) (reference, error) {
	fail := func(reason, hint string) (reference, error) {
		return reference{}, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: redacted(u), Err: errors.New(reason), Hint: hint,
		}
	}
	_, password := u.User.Password()
	anonymous := u.User.Username() == "anonymous" && !password
	path := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.User != nil && !anonymous:
		return fail("credentials do not belong into a URI",
			"log in to the registry, or set DOCKER_AUTH_CONFIG; oci://anonymous@REGISTRY/REPOSITORY means none")
	case !hostName.MatchString(u.Host):
		return fail("it names no registry", form)
	case path == "":
		return fail("it names no repository", form)
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(path, "?"):
		return fail("it has a query", form+", without a query")
	}
	ref, err := registry.ParseReference(u.Host + "/" + path)
	if err != nil {
		return fail("its repository, tag or digest is malformed", form+", in lower-case letters but for the tag")
	}
	ref.Reference = cmp.Or(ref.Reference, "latest")
	return reference{ref, anonymous}, nil
}

func redacted(u *url.URL) string {
	s := u.Scheme + "://"
	if u.User != nil {
		s += "[redacted]@"
	}
	return source.Redact(s + u.Host + u.Path)
}

// String returns the URI as a user writes it.
func (r reference) String() string {
	if r.anonymous {
		return "oci://anonymous@" + r.Reference.String()
	}
	return r.canonical()
}

// canonical is the same for everybody who reads the same artifact.
func (r reference) canonical() string { return "oci://" + r.Reference.String() }

// pinned reports whether the URI names a digest.
func (r reference) pinned() bool { return strings.Contains(r.Reference.Reference, ":") }

// tagged is the reference with another tag or digest.
func (r reference) tagged(tag string) reference {
	r.Reference.Reference = tag
	return r
}

// origin is where the registry's API is.
func (r reference) origin(plain []string) string {
	scheme := "https://"
	if loopback(r.Registry) || slices.Contains(plain, r.Registry) {
		scheme = "http://"
	}
	return scheme + r.Host()
}

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}
