package source

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

var (
	schemeOnly = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]+):`)
	// hubID has a revision of whatever can be a name in git.
	hubID = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?(@[^\s~^:?*\[\\\x00-\x20\x7f]{1,255})?$`)
)

const uriForms = "give a directory, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, https://HOST/FOLDER/, or another URI with a registered scheme"

// parse makes a URL of what a user writes as the source of a model.
func parse(uri string) (*url.URL, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	switch {
	case strings.TrimSpace(uri) == "":
		return nil, malformed(uri, errors.New("no model source is given"), uriForms)
	case ok && schemeOnly.MatchString(scheme+":"):
		return parseURL(strings.ToLower(scheme), rest, uri)
	case exists(uri):
		return pathURL(uri)
	case schemeOnly.MatchString(uri):
		s := schemeOnly.FindStringSubmatch(uri)[1]
		return nil, malformed(uri, errors.New("two slashes are missing after the scheme"), "write "+s+"://…")
	case hubID.MatchString(uri):
		return literal("hf", uri), nil
	default:
		return pathURL(uri)
	}
}

func parseURL(scheme, rest, uri string) (*url.URL, error) {
	switch scheme {
	case "file", "http", "https":
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil {
			err = errors.Unwrap(err) // without the URI, which may hold a secret
			return nil, malformed(uri, err, "escape special characters with %")
		}
		return u, nil
	default:
		return literal(scheme, rest), nil
	}
}

// literal splits without decoding: keys of a bucket may hold '%', '#' and '?'.
func literal(scheme, rest string) *url.URL {
	u := &url.URL{Scheme: scheme}
	host, path, slash := strings.Cut(rest, "/")
	if slash {
		u.Path = "/" + path
	}
	if user, after, ok := strings.Cut(host, "@"); ok && scheme != "hf" {
		u.User, host = url.User(user), after
		if name, password, ok := strings.Cut(user, ":"); ok {
			u.User = url.UserPassword(name, password)
		}
	}
	u.Host = host
	return u
}

func pathURL(path string) (*url.URL, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, malformed(path, err, "give an absolute path")
	}
	return &url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func malformed(uri string, err error, hint string) error {
	return &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: Redact(uri), Err: err, Hint: hint}
}

var (
	port = regexp.MustCompile(`:\d*$`)
	// container is what abfss and azure have before the @; a key of an account is longer.
	container = regexp.MustCompile(`^(\$root|\$web|\$logs|[a-z0-9](-?[a-z0-9]){2,62})$`)
)

// Redact returns uri without what may be a secret: user information other than
// "anonymous" or a container of Azure, and the query. Use it for the Target of an error.
func Redact(uri string) string {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return uri
	}
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 && scheme != "hf" {
		if !public(scheme, host[:i]) {
			rest = "[redacted]" + rest[i:]
		}
	} else if strings.Contains(port.ReplaceAllString(host, ""), ":") && !strings.HasPrefix(host, "[") {
		rest = afterKeys(rest)
	}
	if i := strings.IndexByte(rest, '?'); i >= 0 {
		rest = rest[:i] + "?[redacted]"
	}
	return scheme + "://" + rest
}

// public reports whether user information is no secret.
func public(scheme, user string) bool {
	azure := scheme == "abfss" || scheme == "azure" || scheme == "az"
	return user == "anonymous" || azure && container.MatchString(user)
}

// afterKeys redacts user information that has a slash in it, as secret keys may.
func afterKeys(rest string) string {
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		return "[redacted]" + rest[i:]
	}
	return "[redacted]"
}
