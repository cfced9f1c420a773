package replica

import (
	"net/http"
	"sync"
	"time"
)

// A clientWriter ends an answer whose client does not take it: no write may be stuck for longer
// than the limit, however long there is nothing to write.
type clientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	stuck   *time.Timer // runs during a write

	mu   sync.Mutex
	over bool // the handler has returned, or will at once: a late timer must not touch what was its
}

func newClientWriter(w http.ResponseWriter, limit time.Duration) *clientWriter {
	return &clientWriter{ResponseWriter: w, control: http.NewResponseController(w), limit: limit}
}

// Write implements http.ResponseWriter.
func (c *clientWriter) Write(p []byte) (int, error) {
	c.watch()
	defer c.stuck.Stop()
	return c.ResponseWriter.Write(p)
}

// FlushError is found by http.ResponseController.
func (c *clientWriter) FlushError() error {
	c.watch()
	defer c.stuck.Stop()
	return c.control.Flush()
}

// Unwrap is for http.ResponseController.
func (c *clientWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// watch limits the write that begins. A deadline of the connection would do so too, but in
// HTTP/2 it also ends a stream that has nothing to write.
func (c *clientWriter) watch() {
	if c.stuck == nil {
		c.stuck = time.AfterFunc(c.limit, c.cut)
		return
	}
	c.stuck.Reset(c.limit)
}

// cut ends the write that is stuck.
func (c *clientWriter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		_ = c.control.SetWriteDeadline(time.Now())
	}
}

// last limits the end of the answer, which is written after the handler has returned.
func (c *clientWriter) last() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.control.SetWriteDeadline(time.Now().Add(c.limit))
}
