// Package bucketuri reads SCHEME://[anonymous@]BUCKET/PREFIX, which the drivers of object
// stores have in common.
//
//	loc, err := rules.Parse(u)
//	list(loc.Bucket, loc.Under())
package bucketuri

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// Rules are those of a scheme.
type Rules struct {
	Scheme  string
	Form    string         // the hint that tells the right one
	Bucket  *regexp.Regexp // names of buckets
	Server  string         // the variable that names another server
	Secrets string         // "keys": what some write before the "@"
	Instead string         // what to do with them
}

// Parse refuses, with kind Invalid, what is not of the form. Nothing of what may be secret in u
// is in the error.
func (r *Rules) Parse(u *url.URL) (Location, error) {
	l := Location{Scheme: r.Scheme, Bucket: u.Host, Folder: strings.HasSuffix(u.Path, "/")}
	l.Prefix = strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")
	if u.User != nil {
		_, password := u.User.Password()
		l.Anonymous = u.User.Username() == "anonymous" && !password
	}
	fail := func(reason, hint string) (Location, error) {
		return Location{}, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: redacted(u), Err: errors.New(reason), Hint: hint,
		}
	}
	switch {
	case u.User != nil && !l.Anonymous:
		return fail(r.Secrets+" do not belong into a URI", r.Instead)
	case u.Opaque != "" || l.Bucket == "":
		return fail("it names no bucket", r.Form)
	case strings.Contains(l.Bucket, ":"):
		return fail("a bucket has no port", r.Form+"; the server goes into "+r.Server+"=http://HOST:PORT")
	case !r.Bucket.MatchString(l.Bucket):
		return fail("that is no name of a bucket", r.Form)
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "?"):
		return fail("it has a query", r.Form+", without a query")
	case l.Prefix != "" && source.CheckPath(l.Prefix) != nil:
		return fail("its prefix is no plain path", r.Form+", without empty or dot segments")
	}
	return l, nil
}

func redacted(u *url.URL) string {
	s := u.Scheme + "://"
	if u.User != nil {
		s += "[redacted]@"
	}
	return source.Redact(s + u.Host + u.Path)
}

// A Location is what a URI says.
type Location struct {
	Scheme    string
	Bucket    string
	Prefix    string // without slashes at its ends; "" is the whole bucket
	Anonymous bool
	Folder    bool // the URI ends in a slash: no object is meant
}

// String returns the URI as a user writes it.
func (l Location) String() string {
	if l.Anonymous {
		return l.Scheme + "://anonymous@" + strings.TrimPrefix(l.Canonical(), l.Scheme+"://")
	}
	return l.Canonical()
}

// Canonical is the same for everybody who reads the same files.
func (l Location) Canonical() string {
	return strings.TrimSuffix(l.Scheme+"://"+l.Bucket+"/"+l.Prefix, "/")
}

// At returns the URI of an object, or folder, as the user writes it.
func (l Location) At(name string) string {
	l.Prefix = name
	return l.String()
}

// Under is the prefix of the names in the folder.
func (l Location) Under() string {
	if l.Prefix == "" {
		return ""
	}
	return l.Prefix + "/"
}

// Base is the name of the object, where an object is meant.
func (l Location) Base() string { return path.Base(l.Prefix) }
