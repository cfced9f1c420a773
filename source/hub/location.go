package hub

import (
	"errors"
	"net/url"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const form = "a model of the hub is hf://ORG/NAME or hf://ORG/NAME@REVISION"

const mainBranch = "main"

var (
	repoID   = regexp.MustCompile(`^(\w[\w.-]*/)?\w[\w.-]*$`)
	refName  = regexp.MustCompile(`^[^\s~^:?*\[\\\x00-\x20\x7f]{1,255}$`)
	commitID = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// A location is what a URI says.
type location struct {
	id       string // "org/name", or "name" for some old models
	revision string // a branch, tag, ref or commit
}

func parse(u *url.URL) (location, error) {
	id, revision, given := strings.Cut(strings.TrimSuffix(u.Host+u.Path, "/"), "@")
	if !given {
		revision = mainBranch
	}
	l := location{id: id, revision: revision}
	fail := func(reason, hint string) (location, error) {
		target := source.Redact(u.Scheme + "://" + u.Host + u.Path)
		if u.User != nil {
			target = u.Scheme + "://[redacted]@" + u.Host
		}
		return location{}, &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: target, Err: errors.New(reason), Hint: hint}
	}
	switch {
	case u.User != nil:
		return fail("a token does not belong into a URI", "set HF_TOKEN")
	case u.Opaque != "" || id == "":
		return fail("it names no model", form)
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(id, "?"):
		return fail("it has a query", form+", without a query")
	case strings.Count(id, "/") > 1:
		return fail("it has more than an organization and a name", form+"; single files are chosen with AllowPatterns")
	case !isRepoID(id):
		return fail("that is no name of a model", form)
	case !isRef(revision):
		return fail("that is no name of a revision", form+", where REVISION is a branch, a tag or a commit")
	}
	return l, nil
}

// isRepoID follows the hub's own rule.
func isRepoID(id string) bool {
	return len(id) <= 96 && repoID.MatchString(id) && !strings.Contains(id, "--") && !strings.Contains(id, "..") && !strings.HasSuffix(id, ".git")
}

func isRef(name string) bool {
	return refName.MatchString(name) && !strings.Contains(name, "..") && !strings.Contains(name, "//") &&
		!strings.HasPrefix(name, "/") && !strings.HasSuffix(name, "/")
}

// String returns the URI as a user writes it.
func (l location) String() string {
	if l.revision == mainBranch {
		return l.canonical()
	}
	return l.canonical() + "@" + l.revision
}

// canonical is the same for everybody who reads the same model.
func (l location) canonical() string { return "hf://" + l.id }

// pinned reports whether the revision is a commit: it always means the same.
func (l location) pinned() bool { return commitID.MatchString(l.revision) }
