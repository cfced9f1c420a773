package spinup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// below is the URI of a folder in the one that a user names, where a bare name is a directory.
func below(base, name string) (string, error) {
	if !strings.Contains(base, "://") {
		abs, err := filepath.Abs(base)
		if err != nil {
			return "", err
		}
		base = (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String()
	}
	return strings.TrimSuffix(base, "/") + "/" + name + "/", nil
}

// modelDigest identifies the files of a model by names, sizes and digests. Of those without a
// digest, the version stands for the content, and in a directory of this machine, whose
// versions mean nothing elsewhere, the content of small files, such as config.json.
func modelDigest(ctx context.Context, src source.Source, man *source.Manifest) (string, error) {
	const small = 1 << 20
	_, here := src.(source.InPlace)
	all := sha256.New()
	for _, f := range man.Files {
		id := f.Digest.String()
		switch {
		case id != "":
		case !here:
			id = f.Version
		case f.Size <= small:
			body, err := src.Open(ctx, f, 0, -1)
			if err != nil {
				return "", err
			}
			sum := sha256.New()
			_, err = io.Copy(sum, body)
			if err = errors.Join(err, body.Close()); err != nil {
				return "", err
			}
			id = hex.EncodeToString(sum.Sum(nil))
		}
		_, _ = fmt.Fprintf(all, "%q %d %q\n", f.Path, f.Size, id) // a hash never fails
	}
	return "sha256:" + hex.EncodeToString(all.Sum(nil)), nil
}
