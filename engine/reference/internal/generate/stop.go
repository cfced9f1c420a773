package generate

import "strings"

// stopper cuts text at the stop text that is complete first, however the text is cut into
// pieces. What may become one is held back.
type stopper struct {
	stops []string
	held  string
}

// add returns the text that is certain not to belong to a stop text, and whether one is
// complete; nothing is added after that.
func (s *stopper) add(text string) (out string, stopped bool) {
	text = s.held + text
	s.held = ""
	start, end := -1, len(text)+1
	for _, stop := range s.stops {
		i := strings.Index(text, stop)
		if i >= 0 && (i+len(stop) < end || (i+len(stop) == end && i < start)) {
			start, end = i, i+len(stop)
		}
	}
	if start >= 0 {
		return text[:start], true
	}
	keep := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(text)); n > keep; n-- {
			if strings.HasSuffix(text, stop[:n]) {
				keep = n
			}
		}
	}
	s.held = text[len(text)-keep:]
	return text[:len(text)-keep], false
}

// rest returns what is held back at the end.
func (s *stopper) rest() string { return s.held }
