package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// tries is how many replicas a request may see: one that kills engines must not kill all, and
// one that is only unlucky must be answered.
const tries = 5

// A trail is what a request has met before an answer began.
type trail struct {
	tried     []string       // replicas that it is not sent to again
	unreached []string       // those whose connection failed once, before anything could begin
	last      error          // of the last one
	full      *http.Response // what an engine without room said last
}

// note remembers that m gave no answer, or, in resp, that it has no room.
func (t *trail) note(m *member, resp *http.Response, failure error, serves bool) {
	t.last = fmt.Errorf("%w: %w", errEngine, failure)
	if serves && isDial(failure) && !slices.Contains(t.unreached, m.ID) {
		t.unreached = append(t.unreached, m.ID) // once more
		return
	}
	t.tried = append(t.tried, m.ID)
	switch {
	case resp == nil:
	case serves:
		t.full = kept(resp) //nolint:bodyclose // it is in memory
	default:
		_ = resp.Body.Close()
	}
}

// end is what the client gets when there is no replica left, for err.
func (t *trail) end(ctx context.Context, err error) (*http.Response, error) {
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case t.full != nil:
		return t.full, nil
	case errors.Is(err, errOnlyTried):
		return nil, t.last
	default:
		return nil, errors.Join(err, t.last)
	}
}

// hasNoRoom reports an engine that has not taken a request, as it has too many.
func hasNoRoom(resp *http.Response) bool {
	return isRefusal(resp) || resp.StatusCode == http.StatusServiceUnavailable
}

// isRefusal reports the word of an engine that serves: it is not to be doubted.
func isRefusal(resp *http.Response) bool {
	return resp != nil && resp.StatusCode == http.StatusTooManyRequests
}

// kept returns resp in memory: the engine that has no room is free of it.
func kept(resp *http.Response) *http.Response {
	const longest = 64 << 10
	said, _ := io.ReadAll(io.LimitReader(resp.Body, longest)) // what could be read of an error
	_ = resp.Body.Close()
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(said)), int64(len(said))
	resp.Header.Set("Content-Length", strconv.Itoa(len(said)))
	return resp
}
