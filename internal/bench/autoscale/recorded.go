package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// window is over which the rate of recorded requests is taken.
const window = 10 * time.Second

// recorded is the traffic of a file whose lines begin with the moment of a request and a comma,
// after a line of names. Each request counts so many times.
func recorded(name string, file io.Reader, times float64) (traffic, error) {
	var at []time.Time
	lines := bufio.NewScanner(file)
	for n := 0; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), ",")
		moment, err := moment(text)
		switch {
		case err == nil:
			at = append(at, moment)
		case n > 0:
			return traffic{}, fmt.Errorf("%s: line %d: %w", name, n+1, err)
		}
	}
	if err := lines.Err(); err != nil {
		return traffic{}, fmt.Errorf("%s: %w", name, err)
	}
	if len(at) == 0 {
		return traffic{}, fmt.Errorf("%s: no line begins with a moment like %s", name, time.DateTime)
	}
	slices.SortFunc(at, time.Time.Compare)
	counts := make([]float64, at[len(at)-1].Sub(at[0])/window+1)
	for _, moment := range at {
		counts[moment.Sub(at[0])/window] += times
	}
	return traffic{name, time.Duration(len(counts)) * window, func(at time.Duration) float64 {
		return counts[at/window] / window.Seconds()
	}}, nil
}

// moment reads what traces have for the time of a request, with any fraction of a second.
func moment(text string) (at time.Time, err error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return at, err
}
