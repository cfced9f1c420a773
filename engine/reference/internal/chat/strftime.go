package chat

import (
	"fmt"
	"strings"
	"time"
)

// directives of Python's strftime, as Go's layouts.
var directives = map[string]string{
	"Y": "2006", "y": "06", "m": "01", "-m": "1", "B": "January", "b": "Jan", "d": "02", "-d": "2", "j": "002",
	"A": "Monday", "a": "Mon", "H": "15", "I": "03", "-I": "3", "M": "04", "S": "05", "p": "PM", "Z": "MST", "z": "-0700",
	"F": "2006-01-02", "T": "15:04:05",
}

// strftime formats t as Python does in the C locale.
func strftime(t time.Time, format string) (string, error) {
	var b strings.Builder
	for {
		plain, rest, found := strings.Cut(format, "%")
		b.WriteString(plain)
		if !found {
			return b.String(), nil
		}
		n := min(1, len(rest))
		if strings.HasPrefix(rest, "-") {
			n = min(2, len(rest))
		}
		layout, ok := directives[rest[:n]]
		switch {
		case rest[:n] == "%":
			b.WriteByte('%')
		case ok:
			b.WriteString(t.Format(layout))
		default:
			return "", fmt.Errorf("strftime_now: the directive %%%s is not supported", rest[:n])
		}
		format = rest[n:]
	}
}
