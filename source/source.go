package source

import (
	"context"
	"io"
	"net/url"
)

// A Source is implemented by drivers. It is stateless after construction and
// safe for concurrent use. Drivers do not retry reads, log, or verify: download does, and
// [Read] tries again.
type Source interface {
	// Resolve pins the reference to an immutable revision and lists its files.
	Resolve(ctx context.Context) (*Manifest, error)

	// Open returns the bytes [off, off+n) of f; n < 0 means to the end. A range that ends
	// beyond the file stops at its end, one that begins beyond it is Invalid. It fails with
	// kind Corrupt when the object changed since Resolve and with MissingFile when it is gone.
	// A body that ends early fails with a kind of its own instead of io.EOF. Ending ctx
	// ends the body too.
	Open(ctx context.Context, f File, off, n int64) (io.ReadCloser, error)
}

// A Digester is a Source that may list a file with the likely algorithm of its digest alone: what
// the digest is, is told by the body that brings the whole file, or asked while its ranges come.
// No request has to be made for it before the first byte, and none for each of many small
// files. Optional.
type Digester interface {
	Source
	// Digest returns the whole digest of f, or the zero one when there is none after all.
	// It may be of another algorithm than was listed.
	Digest(ctx context.Context, f File) (Digest, error)
}

// A Digested is a body of a whole file that came with its digest. Optional.
type Digested interface {
	io.ReadCloser
	// Digest returns the zero digest where it is not told.
	Digest() Digest
}

// A Locator is a Source whose files other processes can read in place, such as
// an engine that streams weights from the bucket. Optional.
type Locator interface {
	// Locate returns where f is, without credentials. Scheme, Host and Path are set, and
	// Path is literal: a key with a percent sign has one there.
	Locate(f File) (*url.URL, error)
}

// An InPlace is a Source whose files already lie in a directory of this machine: nothing
// is downloaded and nothing is written there. Optional.
type InPlace interface {
	Source
	// LocalDir returns the absolute path of the directory.
	LocalDir() string
}

// A Creator is a Source that takes new files. Optional.
type Creator interface {
	Source
	// Create stores content, which is at its begin and has f's Size and Digest, as the file
	// f.Path: whole or not at all, and only where there is no file of that name. Where there
	// is one, nothing changes and errors.Is(err, fs.ErrExist).
	Create(ctx context.Context, f File, content io.ReadSeeker) error
}
