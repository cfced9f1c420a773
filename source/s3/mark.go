package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

// markName is the object in which Ray's mirrors of the hub keep the commit.
const markName = "hash"

var markForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// isMark reports whether f may be such an object: short, and not a checkpoint's.
func isMark(f source.File) bool { return f.Path == markName && f.Size > 0 && f.Size <= 128 }

// mark reads it, and returns its word; "" where it is another file of that name. Reading it
// takes the place of the HEAD: its digest is made here.
func (b *bucket) mark(ctx context.Context, f *source.File) (string, error) {
	body, err := b.Open(ctx, *f, 0, -1)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(body)
	if closeErr := body.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	f.Digest = source.Digest{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	if word := strings.TrimSpace(string(data)); markForm.MatchString(word) {
		return word, nil
	}
	return "", nil
}

// marked puts the commit of a mirror before the digest of the listing: the one tells people
// what it is, the other that nothing of it has changed.
func marked(m *source.Manifest, word string) *source.Manifest {
	if word != "" {
		m.Revision = word + "-" + m.Revision[:16]
	}
	return m
}
