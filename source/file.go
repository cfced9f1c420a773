package source

import (
	"errors"
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
	if fault := pathFault(p); fault != "" {
		return badName(fmt.Sprintf("%q", p), fault)
	}
	return nil
}

func badName(target, fault string) error {
	return &lifecycle.Error{
		Op: "source.Resolve", Kind: lifecycle.Invalid, Target: target,
		Err: errors.New("a file that cannot be stored: " + fault), Hint: "rename or remove that file",
	}
}

func pathFault(p string) string {
	switch {
	case p == "":
		return "its name is empty"
	case !utf8.ValidString(p):
		return "its name is not UTF-8"
	case strings.ContainsFunc(p, unicode.IsControl):
		return "its name has a control character"
	case strings.Contains(p, `\`):
		return "its name has a backslash"
	case drive.MatchString(p):
		return "its name begins with a drive"
	case !filepath.IsLocal(filepath.FromSlash(p)):
		return "its name leaves the repository"
	case p == "." || path.Clean(p) != p:
		return "its name has empty or dot segments"
	default:
		return ""
	}
}
