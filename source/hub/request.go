package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxHops bounds the redirects of one request.
const maxHops = 10

var errSilent = errors.New("no answer")

// A query is one GET.
type query struct {
	at     *url.URL
	ranges string // the header, or ""
	// home stops at a redirect that leaves the hub's origin: the answer is then that address.
	home bool
}

// An answer is a response of status 2xx, or the address of one elsewhere. It has to be closed.
type answer struct {
	*http.Response
	elsewhere *url.URL // set when there is no body here
	etag      string   // of the file, as the hub names it; "" when it did not say
	size      int64    // of the file, as the hub says; -1 when it did not
	cancel    context.CancelFunc
}

// Close ends the request.
func (a *answer) Close() error {
	defer a.cancel()
	return a.Body.Close()
}

// get sends q and follows redirects by hand. What is not a success is a *refusal or an error
// of the network.
func (r *repo) get(ctx context.Context, q query) (*answer, error) {
	a := &answer{size: -1}
	for range maxHops {
		own := sameOrigin(q.at, r.set.endpoint)
		resp, cancel, err := r.send(ctx, q, own) //nolint:bodyclose // the answer closes it
		if err != nil {
			return nil, err
		}
		a.Response, a.cancel = resp, cancel
		if own {
			a.note(resp)
		}
		switch status := resp.StatusCode; {
		case status >= 200 && status < 300:
			return a, nil
		case !isRedirect(status):
			err = newRefusal(resp, own)
			_ = a.Close()
			return nil, err
		}
		next, err := target(q.at, resp)
		_ = a.Close()
		if err != nil {
			return nil, err
		}
		if q.home && !sameOrigin(next, r.set.endpoint) {
			a.elsewhere = next
			return a, nil
		}
		q.at = next
	}
	return nil, errors.New("there are too many redirects")
}

// send does one request, whose headers have to arrive in time. The token goes to the hub's
// own origin alone.
func (r *repo) send(ctx context.Context, q query, own bool) (*http.Response, context.CancelFunc, error) {
	limit := r.set.transfer
	if own {
		limit = r.set.answer
	}
	ctx, cancel := context.WithCancelCause(ctx)
	end := func() { cancel(nil) }
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, q.at.String(), nil)
	if err != nil {
		end()
		return nil, nil, errors.New("the address is malformed")
	}
	req.Header.Set("User-Agent", "spinup")
	req.Header.Set("Accept-Encoding", "identity")
	if q.ranges != "" {
		req.Header.Set("Range", q.ranges)
	}
	if token := r.set.token.value(); own && token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	timer := time.AfterFunc(limit, func() { cancel(errSilent) })
	resp, err := r.client.Do(req)
	timer.Stop()
	if err != nil {
		defer end()
		if errors.Is(context.Cause(ctx), errSilent) {
			return nil, nil, fmt.Errorf("%s did not answer within %v", q.at.Host, limit)
		}
		if sent, ok := errors.AsType[*url.Error](err); ok {
			err = sent.Err // without the address, which may be signed
		}
		if strings.Contains(err.Error(), "Location") { // which is repeated there
			err = noAddress(q.at)
		}
		return nil, nil, err
	}
	return resp, end, nil
}

// note keeps what the hub says about the file, which a server elsewhere may say otherwise.
func (a *answer) note(resp *http.Response) {
	linked := resp.Header.Get("X-Linked-Etag") // the ETag of a mirror may be another one
	if tag := strings.Trim(strings.TrimPrefix(linked, "W/"), `"`); tag != "" {
		a.etag = tag
	}
	if n, err := strconv.ParseInt(resp.Header.Get("X-Linked-Size"), 10, 64); err == nil && n >= 0 {
		a.size = n
	}
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	default:
		return false
	}
}

// target reads where a redirect leads. Its text is not repeated in errors: it may be signed.
func target(from *url.URL, resp *http.Response) (*url.URL, error) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	next, err := from.Parse(resp.Header.Get("Location"))
	switch {
	case err != nil || resp.Header.Get("Location") == "" || !isWeb(next) || next.User != nil:
		return nil, noAddress(from)
	case from.Scheme == "https" && next.Scheme != "https":
		return nil, fmt.Errorf("%s redirects from https to http", from.Host)
	}
	return next, nil
}

func noAddress(from *url.URL) error {
	return fmt.Errorf("%s redirects to what is no address", from.Host)
}

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
