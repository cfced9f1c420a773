// Package source finds model files. A Source is one repository: a Hugging Face
// repo, a bucket prefix, a directory. Drivers live in subpackages and pass the
// suite in package sourcetest.
package source

import (
	"context"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Source is implemented by drivers. It is stateless after construction and
// safe for concurrent use. Drivers do not retry, log, or verify: download does.
type Source interface {
	// Resolve pins the reference to an immutable revision and lists its files.
	Resolve(ctx context.Context) (*Manifest, error)

	// Open returns the bytes [off, off+n) of f; n < 0 means to the end.
	// It fails with kind Corrupt when the object changed since Resolve.
	Open(ctx context.Context, f File, off, n int64) (io.ReadCloser, error)
}

// A Locator is a Source whose files other processes can read in place, such as
// an engine that streams weights from the bucket. Optional.
type Locator interface {
	Locate(f File) (*url.URL, error)
}

// An InPlace is a Source whose files already lie in a directory of this machine: nothing
// is downloaded and nothing is written there. Optional.
type InPlace interface {
	Source
	LocalDir() string
}

// A Manifest is what a reference meant at one moment.
type Manifest struct {
	URI      string // canonical and without secrets
	Revision string // commit hash, generation, or digest of the listing
	Files    []File // sorted by Path
}

// Size is the sum of the sizes of all files.
func (m *Manifest) Size() int64 { return 0 }

// Filter returns a copy with the files for which keep is true. Package hub has
// the matcher for Hugging Face's patterns (fnmatch: "*" crosses "/").
func (m *Manifest) Filter(keep func(File) bool) *Manifest { return nil }

// CheckModel reports, joined, each thing a loadable model lacks (config.json,
// a tokenizer, every shard that the safetensors index names). It reads the
// index and headers through src.
func CheckModel(ctx context.Context, src Source, m *Manifest) error { return nil }

// A File is one object of a manifest. Path is slash-separated, relative and
// local in the sense of filepath.IsLocal; Resolve rejects all others.
type File struct {
	Path    string
	Size    int64
	Digest  Digest // zero when the service offers none
	Version string // ETag, generation or blob id: the If-Match of Open
}

// A Digest is an algorithm and a value, such as sha256:9f86d0….
type Digest struct {
	Algorithm string // "sha256", "git-sha1", "md5", "crc32c", "crc64nvme"
	Hex       string
}

// NewHash returns a hash for the digest's algorithm, or nil when unknown.
// The size is needed because a git blob id covers it.
func (d Digest) NewHash(size int64) hash.Hash { return nil }

// OpenOptions carry what a driver may use beside the URI; nil means the process's own.
type OpenOptions struct {
	// Getenv looks credentials and endpoints up: first the LLMConfig's
	// runtime_env.env_vars, then the application's, then the process's.
	Getenv func(key string) string
	HTTP   *http.Client
	Logger *slog.Logger
	_      struct{}
}

// An Opener makes a Source of a URI. Drivers export one: s3.Opener(nil).
type Opener func(ctx context.Context, u *url.URL, o *OpenOptions) (Source, error)

// A Mux opens URIs by scheme. Its zero value knows no scheme; the root package
// makes one with hub and local, programs add s3, gcs and their own.
type Mux struct{ openers map[string]Opener }

// Handle registers an opener. It panics when the scheme is taken.
func (m *Mux) Handle(scheme string, o Opener) {}

// WithEnv returns a Mux that gives env to every driver before the process's environment.
func (m *Mux) WithEnv(env lifecycle.EnvVars) *Mux { return m }

// Open parses uri and dispatches by scheme. A bare "org/name" means hf://org/name
// unless a directory of that name exists. An unknown scheme names the import to add.
func (m *Mux) Open(ctx context.Context, uri string) (Source, error) { return nil, nil }
