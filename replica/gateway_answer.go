package replica

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// explain makes an engine's answer the door's. The id of a request is in it once, an engine
// that has no room says when to come back, and one that lacks the endpoint says so in words,
// where its framework would say "Not Found".
func explain(resp *http.Response) error {
	id := resp.Request.Header.Get(requestID)
	if id != "" { // set by the gateway
		resp.Header.Del(requestID)
	}
	if hasNoRoom(resp) && resp.Header.Get("Retry-After") == "" {
		resp.Header.Set("Retry-After", "1")
	}
	if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
		return nil
	}
	const longest = 64 << 10
	said, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		return err
	}
	if saysMore(said) || resp.Header.Get("Content-Encoding") != "" {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(said), resp.Body), resp.Body}
		return nil
	}
	_ = resp.Body.Close()
	body, _ := json.Marshal(map[string]apiError{"error": { // strings only
		Type: "invalid_request_error", Code: "unsupported_endpoint", ID: id,
		Message: "the engine of this model does not have " + resp.Request.Method + " " + resp.Request.URL.Path,
	}})
	resp.StatusCode, resp.Status = http.StatusNotFound, "404 Not Found"
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	resp.Header.Del("Content-Encoding")
	return nil
}

// saysMore reports an answer that an engine worded itself, in whatever form: everything but
// what frameworks say of a path that they do not know.
func saysMore(body []byte) bool {
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return false
	}
	if e, ok := answer["error"].(map[string]any); ok {
		answer = e
	}
	for _, key := range []string{"message", "error", "detail"} {
		if word, ok := answer[key].(string); ok {
			return word != "" && word != http.StatusText(http.StatusNotFound) && word != http.StatusText(http.StatusMethodNotAllowed)
		}
	}
	return len(answer) > 0
}

// chunk is what is read of an answer at once: tokens are small, and each stream has one.
const chunk = 8 << 10

// chunks are used again by later answers.
type chunks struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (c *chunks) Get() []byte {
	if b, ok := c.pool.Get().(*[chunk]byte); ok {
		return b[:]
	}
	return make([]byte, chunk)
}

// Put implements httputil.BufferPool.
func (c *chunks) Put(b []byte) { c.pool.Put((*[chunk]byte)(b)) }
