package hub

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxPause bounds what a server can ask for.
const maxPause = time.Hour

var (
	remaining = regexp.MustCompile(`;\s*r=(\d{1,18})(?:;|$)`)
	resetIn   = regexp.MustCompile(`;\s*t=(\d{1,18})(?:;|$)`)
)

// pause returns how long the headers ask to wait: until the windows of RateLimit that are
// used up begin anew, else Retry-After in seconds or as a date. It is 0 when they do not ask.
func pause(h http.Header, now time.Time) time.Duration {
	var wait time.Duration
	for window := range strings.SplitSeq(strings.Join(h.Values("RateLimit"), ","), ",") {
		window = strings.TrimSpace(window)
		if r := remaining.FindStringSubmatch(window); r == nil || strings.Trim(r[1], "0") != "" {
			continue
		}
		if t := resetIn.FindStringSubmatch(window); t != nil {
			wait = max(wait, inSeconds(t[1])+time.Second)
		}
	}
	if value := h.Get("Retry-After"); wait == 0 && value != "" {
		wait = inSeconds(value)
		if at, err := http.ParseTime(value); err == nil {
			wait = at.Sub(now)
		}
	}
	return min(max(wait, 0), maxPause)
}

func inSeconds(s string) time.Duration {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, int64(maxPause/time.Second))) * time.Second
}
