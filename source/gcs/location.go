package gcs

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const form = "a URI of Google Cloud Storage has the form gs://BUCKET/PREFIX"

// bucketName is the rule for names: with dots a name may be longer than 63 characters.
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`)

// A location is what a URI says.
type location struct {
	bucket    string
	prefix    string // without slashes at its ends; "" is the whole bucket
	anonymous bool
	folder    bool // the URI ends in a slash: no object is meant
}

func parse(u *url.URL) (location, error) {
	l := location{bucket: u.Host, folder: strings.HasSuffix(u.Path, "/")}
	l.prefix = strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")
	if u.User != nil {
		_, password := u.User.Password()
		l.anonymous = u.User.Username() == "anonymous" && !password
	}
	fail := func(reason, hint string) (location, error) {
		return location{}, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: redacted(u), Err: errors.New(reason), Hint: hint,
		}
	}
	switch {
	case u.User != nil && !l.anonymous:
		return fail("credentials do not belong into a URI",
			"let GOOGLE_APPLICATION_CREDENTIALS name their file; gs://anonymous@BUCKET/PREFIX means none")
	case u.Opaque != "" || l.bucket == "":
		return fail("it names no bucket", form)
	case strings.Contains(l.bucket, ":"):
		return fail("a bucket has no port", form+"; the server goes into STORAGE_EMULATOR_HOST=http://HOST:PORT")
	case !bucketName.MatchString(l.bucket):
		return fail("that is no name of a bucket", form)
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "?"):
		return fail("it has a query", form+", without a query")
	case l.prefix != "" && source.CheckPath(l.prefix) != nil:
		return fail("its prefix is no plain path", form+", without empty or dot segments")
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

// String returns the URI as a user writes it.
func (l location) String() string {
	if l.anonymous {
		return "gs://anonymous@" + strings.TrimPrefix(l.canonical(), "gs://")
	}
	return l.canonical()
}

// canonical is the same for everybody who reads the same files.
func (l location) canonical() string { return strings.TrimSuffix("gs://"+l.bucket+"/"+l.prefix, "/") }

// at returns the URI of an object as the user writes it.
func (l location) at(name string) string {
	return location{bucket: l.bucket, prefix: name, anonymous: l.anonymous}.String()
}

// under is the prefix of the names in the folder.
func (l location) under() string {
	if l.prefix == "" {
		return ""
	}
	return l.prefix + "/"
}

// base is the name of the object, where an object is meant.
func (l location) base() string { return path.Base(l.prefix) }
