//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// A rest is what is left of a start of ours when the files are there and the imports are
// over, in seconds.
type rest struct{ wall, cpu float64 }

// summary is what the startup page says of a replica at its end.
var summary = regexp.MustCompile(`(?s)ready after ([\d.]+) s, unattributed [\d.]+ s \(([\d.]+) %\)\ncritical path: ([^\n]+)`)

// explain reads /debug/startup.
func (r *result) explain(ctx context.Context, addr string, looks []look, end time.Time) error {
	page, err := get(ctx, "http://"+addr+"/debug/startup")
	if err != nil {
		return err
	}
	m := summary.FindSubmatch(page)
	if m == nil {
		return fmt.Errorf("no summary in %q", page)
	}
	r.path = string(m[3])
	r.timeline, _ = strconv.ParseFloat(string(m[1]), 64)     // digits, see summary
	r.unattributed, _ = strconv.ParseFloat(string(m[2]), 64) // the same
	if page, err = get(ctx, "http://"+addr+"/debug/startup?format=trace"); err != nil {
		return err
	}
	told, err := togetherAt(page)
	if err != nil {
		return err
	}
	r.left = rest{wall: end.Sub(told).Seconds(), cpu: r.cpu - cpuAt(looks, told)}
	return nil
}

// togetherAt is when imports were over and the files there, from a Chrome trace.
func togetherAt(trace []byte) (at time.Time, err error) {
	var t struct {
		TraceEvents []struct {
			Name    string
			TS, Dur int64 // microseconds
		}
	}
	if err := json.Unmarshal(trace, &t); err != nil {
		return at, err
	}
	for _, e := range t.TraceEvents {
		if end := time.UnixMicro(e.TS + e.Dur); (e.Name == "preload" || e.Name == "download") && end.After(at) {
			at = end
		}
	}
	if at.IsZero() {
		return at, errors.New("the timeline has neither preload nor download")
	}
	return at, nil
}

func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}
