package s3

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const form = "an S3 URI has the form s3://BUCKET/PREFIX"

// bucketName is wider than today's rule (3 to 63 lower-case letters, digits, dots and
// hyphens): older buckets have capitals and underscores.
var bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`)

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
		return fail("keys do not belong into a URI",
			"set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; s3://anonymous@BUCKET/PREFIX means no keys")
	case u.Opaque != "" || l.bucket == "":
		return fail("it names no bucket", form)
	case strings.Contains(l.bucket, ":"):
		return fail("a bucket has no port", form+"; the server goes into AWS_ENDPOINT_URL=http://HOST:PORT")
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
		return "s3://anonymous@" + strings.TrimPrefix(l.canonical(), "s3://")
	}
	return l.canonical()
}

// canonical is the same for everybody who reads the same files.
func (l location) canonical() string { return strings.TrimSuffix("s3://"+l.bucket+"/"+l.prefix, "/") }

// under is the prefix of the keys in the folder.
func (l location) under() string {
	if l.prefix == "" {
		return ""
	}
	return l.prefix + "/"
}

// base is the name of the object, where an object is meant.
func (l location) base() string { return path.Base(l.prefix) }
