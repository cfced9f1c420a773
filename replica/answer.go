package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"
)

// An answer is the body of an engine's answer on its way to the client. It gives its
// replica back at the end, and ends a stream of events that is cut with one that says so.
type answer struct {
	io.ReadCloser
	set *Set
	hold
	request func() context.Context
	events  bool
	once    sync.Once

	head []byte // read ahead by begin
	tail []byte // of events: an unfinished line, kept back so that it cannot spoil the last event
	out  []byte // to be read next
	err  error  // after that
}

// maxLine bounds what is kept back of an unfinished line; longer ones pass as they come.
const maxLine = 1 << 20

// isEvents reports a stream to which an event can be added.
func isEvents(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && kind == "text/event-stream" && resp.ContentLength < 0 && resp.Header.Get("Content-Encoding") == ""
}

// begin waits for the first byte, and reads it into buf. It returns an error when the answer
// was cut before.
func (a *answer) begin(buf []byte) error {
	for {
		n, err := a.fetch(buf)
		a.head = bytes.Clone(buf[:n]) // a stream is long, and its first token small
		if err == nil && n == 0 {
			continue
		}
		if n > 0 || errors.Is(err, io.EOF) {
			a.err = err
			return nil
		}
		return err
	}
}

// beginsWithError reports an engine that accepted the request and failed at once: vLLM's
// streams have their status before anything is generated.
func (a *answer) beginsWithError() bool {
	return bytes.HasPrefix(a.head, []byte(`data: {"error"`)) || bytes.HasPrefix(a.head, []byte(`data: {"object":"error"`))
}

// Read implements io.Reader.
func (a *answer) Read(p []byte) (int, error) {
	for {
		if len(a.out) > 0 {
			n := copy(p, a.out)
			a.out = a.out[n:]
			return n, nil
		}
		if len(a.head) == 0 && a.err != nil {
			if err := a.finish(); err != nil {
				return 0, err
			}
			continue
		}
		n := copy(p, a.head)
		if a.head = a.head[n:]; n == 0 {
			n, a.err = a.fetch(p)
		}
		if n = a.whole(p[:n]); n > 0 {
			return n, nil
		}
	}
}

// fetch reads from the engine and notes that it lives.
func (a *answer) fetch(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if n > 0 {
		a.member.lastByte.Store(time.Now().UnixNano())
	}
	return n, err
}

// whole returns how much of a chunk may pass at once. Of events those are the finished
// lines: in nearly all cases the whole chunk. What is left passes with the end of its line.
func (a *answer) whole(chunk []byte) int {
	end := bytes.LastIndexByte(chunk, '\n') + 1
	if !a.events || end == len(chunk) && len(a.tail) == 0 {
		return len(chunk)
	}
	if len(a.tail) == 0 {
		a.tail = append(a.tail, chunk[end:]...)
		return end
	}
	switch a.tail = append(a.tail, chunk...); {
	case end > 0:
		end += len(a.tail) - len(chunk)
	case len(a.tail) > maxLine:
		end = len(a.tail)
	}
	a.out, a.tail = a.tail[:end:end], bytes.Clone(a.tail[end:])
	return 0
}

// finish returns what ends the answer after the last byte: nothing more to say, or, once, the
// event that tells the client why there is no more.
func (a *answer) finish() error {
	ctx := a.request()
	late := errors.Is(context.Cause(ctx), errLate)
	switch {
	case errors.Is(a.err, io.EOF):
		if len(a.tail) == 0 {
			return io.EOF
		}
		a.out, a.tail = a.tail, nil
	case ctx.Err() != nil && !late: // the client has gone
		return a.err
	case !a.events:
		if !late {
			a.set.suspect(a.member, a.err)
		}
		return a.err
	case late:
		a.out, a.err, a.tail = lastEvent("timeout", errLate.Error()), io.EOF, nil
	default:
		a.set.suspect(a.member, a.err)
		a.out, a.err, a.tail = lastEvent("engine_error", "the engine ended in the middle of the answer; try again"), io.EOF, nil
	}
	return nil
}

// lastEvent is an error as OpenAI's clients expect it in a stream. The line before it ends
// an event that the engine began.
func lastEvent(code, message string) []byte {
	data, _ := json.Marshal(map[string]apiError{"error": {Type: "server_error", Code: code, Message: message}}) // strings only
	return append(append([]byte("\ndata: "), data...), "\n\n"...)
}

// Close gives the replica back.
func (a *answer) Close() error {
	err := a.ReadCloser.Close()
	a.once.Do(func() { a.set.release(a.hold) })
	return err
}
