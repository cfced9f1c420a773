package web

import (
	"errors"
	"net/url"
	"path"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	form     = "write https://HOST/FOLDER/ for a folder, https://HOST/FOLDER/SHA256SUMS for a list, or https://HOST/FILE"
	sumsName = "SHA256SUMS"
)

// A location is what a URI says.
type location struct {
	at     *url.URL      // of the folder with a slash at its end, or of what may be a file
	folder bool          // the URI ends in a slash, or names a list: no file is meant
	sums   bool          // the URI names a list
	query  func() string // may be a signature, which no formatting finds behind a function
}

func parse(u *url.URL) (location, error) {
	fail := func(reason string) (location, error) {
		return location{}, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: shown(u), Err: errors.New(reason), Hint: form,
		}
	}
	at := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	if at.Path == "" {
		at.Path = "/"
	}
	l := location{at: at, folder: strings.HasSuffix(at.Path, "/"), query: func() string { return u.RawQuery }}
	switch {
	case (u.Scheme != "http" && u.Scheme != "https") || u.Opaque != "" || u.Hostname() == "":
		return fail("it names no server")
	case u.Fragment != "":
		return fail("it has a fragment")
	case u.RawQuery != "" && l.folder:
		return fail("a folder has no query")
	case at.Path != "/" && source.CheckPath(strings.Trim(at.Path, "/")) != nil || strings.HasPrefix(at.Path, "//") || strings.HasSuffix(at.Path, "//"):
		return fail("its path is no plain one, without empty or dot segments")
	}
	if path.Base(at.Path) == sumsName && !l.folder && u.RawQuery == "" {
		l.folder, l.sums, l.at = true, true, at.JoinPath("..", "/")
	}
	return l, nil
}

// shown is u without what may be secret.
func shown(u *url.URL) string {
	c := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	text := c.String()
	if u.User != nil {
		text = u.Scheme + "://[redacted]@" + strings.TrimPrefix(text, u.Scheme+"://")
	}
	if u.RawQuery != "" {
		text += "?[redacted]"
	}
	return text
}

// String returns the URI without secrets. It is the same for everybody who reads the same files.
func (l location) String() string {
	if l.sums {
		return shown(l.child(sumsName))
	}
	return shown(l.at)
}

// child returns the address of a path in the folder.
func (l location) child(p string) *url.URL {
	c := *l.at
	c.Path, c.RawPath = strings.TrimSuffix(l.at.Path, "/")+"/"+p, ""
	if l.at.RawPath != "" {
		c.RawPath = strings.TrimSuffix(l.at.RawPath, "/") + "/" + (&url.URL{Path: p}).EscapedPath()
	}
	return &c
}

// file is the address of the location itself, where a file is meant.
func (l location) file() *url.URL {
	c := *l.at
	c.RawQuery = l.query()
	return &c
}

// base is the name of that file.
func (l location) base() string { return path.Base(l.at.Path) }
