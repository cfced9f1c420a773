package driver

import (
	"iter"
	"math"
	"strconv"
	"strings"
)

// Samples yields what a page of metrics in Prometheus' text format has, by name and without
// labels; values that are no count or share are left out.
func Samples(body []byte) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(string(body)) {
			if name, value, ok := sample(strings.TrimSpace(line)); ok && !yield(name, value) {
				return
			}
		}
	}
}

// sample splits a line "NAME{LABELS} VALUE" or "NAME VALUE". Labels may hold anything, so the
// value is what follows the last blank.
func sample(line string) (name string, value float64, ok bool) {
	end := strings.IndexAny(line, "{ ")
	last := strings.LastIndexByte(line, ' ')
	if end <= 0 || last < end || line[0] == '#' {
		return "", 0, false
	}
	value, err := strconv.ParseFloat(line[last+1:], 64)
	if err != nil || value < 0 || value > 1e9 || math.IsNaN(value) {
		return "", 0, false
	}
	return line[:end], value, true
}
