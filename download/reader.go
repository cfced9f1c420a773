package download

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A Reader reads an [Arrival] for one purpose, such as one engine, and knows whether what it
// was given was right. It is safe for concurrent use.
type Reader struct {
	arrival *Arrival
	wrong   chan struct{} // closed with err

	mu   sync.Mutex
	read map[*assembly]bool
	err  error
}

// Reader returns a new Reader, which need not be closed.
func (a *Arrival) Reader() *Reader {
	r := &Reader{arrival: a, wrong: make(chan struct{}), read: map[*assembly]bool{}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.readers = append(a.readers, r)
	return r
}

// Open is as that of [source.Source], and has what is missing fetched before what nobody
// waits for. The bytes come as they arrive, which is before they are known to be right: whoever
// acts on them asks Verified. A body fails once bytes of its file have proved wrong, and with
// the error that ended the download.
func (r *Reader) Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	a := r.arrival
	b := &body{ctx: ctx, reader: r, of: f, off: off, end: off + n}
	select {
	case <-a.begun:
		b.asm = a.arriving[a.name(f)]
	case <-a.done: // and nothing had to be fetched
	}
	if b.asm != nil {
		r.note(b.asm)
		if b.asm.present(off) < n {
			a.queue.hurry(b.asm, off, b.end)
		}
	}
	return b, nil
}

// Verified waits until all files are there and right. It returns nil when every byte that the
// Reader was given is a right one, and an error as soon as that cannot be: of kind Unavailable
// when some proved wrong and are fetched once more, so that it is worth another Reader, or else
// that which ended the download.
func (r *Reader) Verified(ctx context.Context) error {
	select {
	case <-r.wrong:
	case <-r.arrival.done:
	case <-ctx.Done():
	}
	if err := r.failed(); err != nil {
		return err
	}
	select {
	case <-r.arrival.done: // known, also when ctx has ended
		return r.arrival.err
	default:
		return lifecycle.FromContext(ctx, "download.Verified", r.arrival.manifest.URI)
	}
}

// note comes before the first look at what there is of a file.
func (r *Reader) note(asm *assembly) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[asm] = true
}

func (r *Reader) doubt(asm *assembly) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.read[asm] || r.err != nil {
		return
	}
	r.err = &lifecycle.Error{
		Op: "download.Read", Kind: lifecycle.Unavailable, Target: asm.file.Path,
		Err:  errors.New("bytes of it were read that prove wrong, and are fetched once more"),
		Hint: "read it again; if it lasts, the copy at the source is damaged: upload it anew",
	}
	close(r.wrong)
}

func (r *Reader) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// A body is a range of a file that may still be on its way.
type body struct {
	ctx      context.Context //nolint:containedctx // it lives as long as the body
	reader   *Reader
	of       source.File
	asm      *assembly // nil when the file was complete
	file     *os.File  // nil until the first byte is there
	off, end int64
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.wait()
	if err != nil {
		return 0, err
	}
	n, err = b.take(b.file.ReadAt(p[:min(int64(len(p)), n)], b.off))
	return int(n), err
}

// WriteTo implements io.WriterTo, with which bytes go from the page cache to a connection
// without a copy.
func (b *body) WriteTo(w io.Writer) (written int64, err error) {
	for {
		n, err := b.wait()
		if errors.Is(err, io.EOF) {
			return written, nil
		} else if err != nil {
			return written, err
		}
		if _, err = b.file.Seek(b.off, io.SeekStart); err != nil {
			return written, err
		}
		k, err := io.Copy(w, io.LimitReader(b.file, n))
		if err == nil && k < n {
			err = io.EOF
		}
		k, err = b.take(int(k), err)
		written += k
		if err != nil {
			return written, err
		}
	}
}

// take goes on by n bytes.
func (b *body) take(n int, err error) (int64, error) {
	b.off += int64(n)
	if errors.Is(err, io.EOF) {
		err = b.withdrawn(io.ErrUnexpectedEOF)
	}
	return int64(n), err
}

// withdrawn returns why bytes that were there are there no more, which is about to be told:
// they were wrong, or the download has failed. Nobody else learns of their end before.
func (b *body) withdrawn(err error) error {
	if b.asm == nil {
		return err
	}
	select {
	case <-b.reader.wrong:
		return b.reader.failed()
	case <-b.reader.arrival.done:
		return cmp.Or(b.reader.arrival.err, err)
	case <-b.ctx.Done():
		return lifecycle.FromContext(b.ctx, "download.Read", b.of.Path)
	}
}

// wait returns how many of the bytes that come next are there, at least one, or io.EOF.
func (b *body) wait() (int64, error) {
	if b.off >= b.end {
		return 0, io.EOF
	}
	n := b.end - b.off
	if b.asm != nil {
		var err error
		if n, err = b.arrived(); err != nil {
			return 0, err
		}
	}
	if b.file != nil {
		return min(n, b.end-b.off), nil
	}
	var err error
	b.file, err = b.reader.arrival.open(b.asm, b.of)
	if _, refused := errors.AsType[*fs.PathError](err); refused && !errors.Is(err, fs.ErrNotExist) {
		return 0, err // the system's, such as too many open files
	}
	if err != nil {
		return 0, b.withdrawn(err)
	}
	return min(n, b.end-b.off), nil
}

func (b *body) arrived() (int64, error) {
	stop := b.asm.bell.listen()
	defer stop()
	for {
		rung := b.asm.bell.next()
		if err := b.reader.failed(); err != nil {
			return 0, err
		}
		if n := b.asm.present(b.off); n > 0 {
			return n, nil
		}
		select {
		case <-rung:
		case <-b.reader.arrival.done:
			return b.end - b.off, b.reader.arrival.err
		case <-b.ctx.Done():
			return 0, lifecycle.FromContext(b.ctx, "download.Read", b.of.Path)
		}
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// present returns how many bytes have been written in one piece from off on.
func (a *assembly) present(off int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, at := slices.BinarySearchFunc(a.parts, off, func(p *part, off int64) int {
		switch {
		case p.off > off:
			return 1
		case p.end.Load() <= off:
			return -1
		default:
			return 0
		}
	})
	if !at {
		return 0
	}
	from := off
	for ; i < len(a.parts) && a.parts[i].off <= off && a.parts[i].pos.Load() > off; i++ {
		off = a.parts[i].pos.Load()
	}
	return off - from
}
