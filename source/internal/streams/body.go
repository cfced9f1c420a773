package streams

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
)

// skipStep is how much is read over before others may see that it goes on, in bytes.
const skipStep = 1 << 20

// A stream is an answer.
type stream struct {
	from io.ReadCloser
	end  context.CancelFunc // ends the request
	pos  atomic.Int64       // in the file, of the next byte
}

// close ends the stream, if there is one. Nobody needs to know how.
func (s *stream) close() {
	if s != nil {
		_ = s.from.Close()
		s.end()
	}
}

// A body is one range of a stream.
type body struct {
	stream *stream
	all    *Streams
	want   *want
	whole  bool        // the stream may go on behind the range
	stop   func() bool // has the end of the context no longer end the stream
	failed bool
	once   sync.Once
}

// Read implements io.Reader. It never reads behind the range.
func (b *body) Read(p []byte) (n int, err error) {
	for skip := b.want.Off - b.stream.pos.Load(); skip > 0 && err == nil; skip = b.want.Off - b.stream.pos.Load() {
		var over int64
		over, err = io.CopyN(io.Discard, b.stream.from, min(skip, skipStep))
		b.stream.pos.Add(over)
	}
	left := b.want.Off + b.want.Len - b.stream.pos.Load()
	switch {
	case err != nil:
	case left == 0:
		return 0, io.EOF
	default:
		n, err = b.stream.from.Read(p[:min(int64(len(p)), left)])
		b.stream.pos.Add(int64(n))
	}
	b.failed = b.failed || err != nil
	return n, err
}

// Close implements io.Closer. A stream that has more bytes waits for who wants them.
func (b *body) Close() error {
	b.once.Do(func() {
		done, st := b.stream.pos.Load(), b.detach()
		if st != nil && (!b.whole || b.failed || st.pos.Load() == b.want.Size) {
			st.close()
			st = nil
		}
		b.all.leave(b.want, st, done)
	})
	return nil
}

// detach returns the stream, which the end of the context no longer ends, or nil where that has
// ended it.
func (b *body) detach() *stream {
	if !b.stop() {
		b.stream.close()
		return nil
	}
	return b.stream
}
