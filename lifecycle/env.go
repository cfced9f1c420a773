package lifecycle

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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

// Redact replaces, in s, every value that is long enough to be a secret (6 bytes or more).
// Use it on text of others: the output of an engine, the message of a foreign error.
func (e EnvVars) Redact(s string) string {
	values := make([]string, 0, len(e))
	for _, v := range e {
		if len(v) >= 6 && !plainValue(v) {
			values = append(values, v)
		}
	}
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		s = strings.ReplaceAll(s, v, redacted)
	}
	return s
}

// plainValue tells paths, URLs without credentials and on/off words, which explain errors,
// from what may be a secret.
func plainValue(v string) bool {
	if strings.HasPrefix(v, "/") || (strings.Contains(v, "://") && !strings.ContainsAny(v, "@?")) {
		return true
	}
	return strings.EqualFold(v, "false")
}

func (e EnvVars) masked() map[string]string {
	m := make(map[string]string, len(e))
	for k := range e {
		m[k] = redacted
	}
	return m
}
