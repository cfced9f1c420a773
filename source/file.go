package source

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A File is one object of a manifest. Path is slash-separated, relative and
// local in the sense of filepath.IsLocal; Resolve rejects all others.
type File struct {
	Path    string
	Size    int64  // bytes
	Digest  Digest // zero when the service offers none
	Version string // ETag, generation or blob id: the If-Match of Open
}

// Clip returns how many bytes the range [off, off+n) has within f, where n < 0 means to
// the end. A range that begins outside of the file is an error of kind Invalid.
func (f File) Clip(off, n int64) (int64, error) {
	if off < 0 || off > f.Size {
		return 0, &lifecycle.Error{
			Op: "source.Read", Kind: lifecycle.Invalid, Target: f.Path,
			Err: fmt.Errorf("offset %d is outside of %d bytes", off, f.Size),
		}
	}
	if rest := f.Size - off; n < 0 || n > rest {
		return rest, nil
	}
	return n, nil
}

var drive = regexp.MustCompile(`^[A-Za-z]:`)

// CheckPath reports, with kind Invalid, a path that is no plain relative one: absolute,
// with "..", empty segments, a backslash, a drive, a control character or broken UTF-8.
// Such a path could leave the directory that it is written to, on this system or another.
func CheckPath(p string) error {
	reason := ""
	switch {
	case p == "":
		reason = "it is empty"
	case !utf8.ValidString(p):
		reason = "it is not UTF-8"
	case strings.ContainsFunc(p, unicode.IsControl):
		reason = "it has a control character"
	case strings.Contains(p, `\`):
		reason = "it has a backslash"
	case drive.MatchString(p):
		reason = "it names a drive"
	case !filepath.IsLocal(filepath.FromSlash(p)):
		reason = "it leaves the repository"
	case p == "." || path.Clean(p) != p:
		reason = "it has empty or dot segments"
	default:
		return nil
	}
	return &lifecycle.Error{
		Op: "source.Resolve", Kind: lifecycle.Invalid, Target: fmt.Sprintf("%q", p),
		Err:  fmt.Errorf("a file name that cannot be used: %s", reason),
		Hint: "rename or remove that file",
	}
}
