package lifecycle

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const redacted = "[redacted]"

// EnvVars is an environment whose values are secrets until proven otherwise: it formats,
// logs and marshals as its keys with the values redacted. Read a value by indexing.
//
// fmt cannot call methods on unexported struct fields: keep an EnvVars in an exported
// field, behind a pointer, or in a closure.
type EnvVars map[string]string

// Format implements fmt.Formatter for every verb.
func (e EnvVars) Format(f fmt.State, _ rune) {
	fmt.Fprint(f, e.String())
}

// String returns the keys, sorted, with the values redacted.
func (e EnvVars) String() string {
	parts := make([]string, 0, len(e))
	for _, k := range slices.Sorted(maps.Keys(e)) {
		parts = append(parts, k+"="+redacted)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// LogValue implements slog.LogValuer.
func (e EnvVars) LogValue() slog.Value { return slog.StringValue(e.String()) }

// MarshalJSON redacts.
func (e EnvVars) MarshalJSON() ([]byte, error) { return json.Marshal(e.masked()) }

// MarshalYAML redacts.
func (e EnvVars) MarshalYAML() (any, error) { return e.masked(), nil }

// Environ returns "key=value" lines, sorted, as os/exec wants them. It is not redacted.
func (e EnvVars) Environ() []string {
	out := make([]string, 0, len(e))
	for _, k := range slices.Sorted(maps.Keys(e)) {
		out = append(out, k+"="+e[k])
	}
	return out
}

// Redact replaces, in s, every value that may be a secret, also where it is quoted, escaped
// or split into lines. Values below 6 bytes are too common to be found in text, and folders
// and addresses that explain errors stay, where their key says that they are one. Use it on
// text of others: the output of an engine, the message of a foreign error.
func (e EnvVars) Redact(s string) string {
	var forms []string
	for k, v := range e {
		if plainValue(k, v) {
			continue
		}
		for line := range strings.Lines(v) {
			if line = strings.TrimSpace(line); len(line) >= 6 {
				forms = append(forms, line, inner(strconv.Quote(line)), inner(jsonOf(line)), url.QueryEscape(line), url.PathEscape(line))
			}
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	for _, v := range slices.Compact(forms) {
		s = strings.ReplaceAll(s, v, redacted)
	}
	return s
}

func jsonOf(s string) string {
	b, _ := json.Marshal(s) // a string never fails
	return string(b)
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// plainValue tells folders, addresses of services and on/off words, which explain errors,
// from what may be a secret. A key that sounds like a secret's has one, whatever it looks like.
func plainValue(key, v string) bool {
	key = strings.ToUpper(key)
	for _, word := range []string{"KEY", "TOKEN", "SECRET", "PASS", "CRED", "AUTH"} {
		if strings.Contains(key, word) {
			return false
		}
	}
	if strings.EqualFold(v, "false") {
		return true
	}
	if u, err := url.Parse(v); err == nil && strings.Contains(key, "ENDPOINT") {
		return u.User == nil && u.RawQuery == "" && strings.Trim(u.Path, "/") == ""
	}
	for _, end := range []string{"DIR", "HOME", "PATH", "ROOT", "CACHE", "FILE", "BUNDLE"} {
		if strings.HasSuffix(key, end) && strings.HasPrefix(v, "/") {
			return true
		}
	}
	return false
}

func (e EnvVars) masked() map[string]string {
	m := make(map[string]string, len(e))
	for k := range e {
		m[k] = redacted
	}
	return m
}
