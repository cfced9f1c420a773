package hub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A heldFile is one that was read to choose the others, for whoever wants it next.
type heldFile struct {
	key  pinKey
	data []byte
}

// readIndex returns the bytes of f, which are right: from the cache, else from the hub.
func (r *repo) readIndex(ctx context.Context, f source.File) ([]byte, error) {
	if f.Size > maxJSON {
		return nil, r.indexError(fmt.Errorf("it has %d bytes", f.Size))
	}
	_, _, sha := r.pinOf(f)
	if data, err := os.ReadFile(r.cachedPath(sha, f.Path)); err == nil && r.dir() != "" && right(f, data) {
		return data, nil
	}
	body, err := r.Open(ctx, f, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	if !right(f, data) {
		return nil, &lifecycle.Error{
			Op: opResolve, Kind: lifecycle.Unavailable, Target: r.loc.canonical() + "/" + f.Path,
			Err: errors.New("it arrived damaged"), Hint: r.networkHint(nil),
		}
	}
	r.hold(f, data)
	return data, nil
}

// right reports whether data is that of f, whose digest is not known where it lies in place.
func right(f source.File, data []byte) bool {
	if !f.Digest.Known() {
		return int64(len(data)) == f.Size
	}
	h := f.Digest.NewHash(f.Size)
	_, _ = h.Write(data) // a hash never fails
	return int64(len(data)) == f.Size && f.Digest.Equal(h.Sum(nil))
}

func (r *repo) hold(f source.File, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.index = heldFile{key: pinKey{f.Path, f.Version}, data: data}
}

// held returns the whole of f where it is held, once: whoever finds it wrong asks the hub.
func (r *repo) held(f source.File, n int64) io.ReadCloser {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n != f.Size || r.index.key != (pinKey{f.Path, f.Version}) {
		return nil
	}
	data := r.index.data
	r.index = heldFile{}
	return io.NopCloser(bytes.NewReader(data))
}
