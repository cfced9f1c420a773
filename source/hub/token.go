package hub

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A token is what the hub knows a user by, and where it was found. The value stays behind a
// function, where no formatting finds it.
type token struct {
	value func() string
	from  string   // "" when there is none
	tried []string // in order, with the result
}

// findToken looks where huggingface_hub does. What cannot be part of a header is an error.
func findToken(env func(string) string) (token, error) {
	t := token{value: func() string { return "" }}
	if isTrue(env("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		t.tried = []string{"none, because HF_HUB_DISABLE_IMPLICIT_TOKEN is set"}
		return t, nil
	}
	for _, key := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if t.try(key, clean(env(key)), "not set") {
			return t, t.check()
		}
	}
	path := expand(env("HF_TOKEN_PATH"), env)
	if dir := home(env); path == "" && dir != "" {
		path = filepath.Join(dir, "token")
	}
	if path == "" {
		return t, nil
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	absent := "empty"
	if errors.Is(err, fs.ErrNotExist) {
		absent = "absent"
	} else if err != nil {
		absent = "unreadable"
	}
	t.try("the file "+path, clean(string(data)), absent)
	return t, t.check()
}

func (t *token) try(place, value, absent string) bool {
	if value == "" {
		t.tried = append(t.tried, place+" ("+absent+")")
		return false
	}
	t.tried = append(t.tried, place+" (used)")
	t.from, t.value = place, func() string { return value }
	return true
}

func (t *token) check() error {
	for _, c := range []byte(t.value()) {
		if c <= ' ' || c >= 0x7f {
			return errors.New("the token of " + t.from + " has a character that no token has")
		}
	}
	return nil
}

func clean(value string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(value))
}

// redact takes the token out of a text of others.
func (t *token) redact(text string) string {
	return lifecycle.EnvVars{"token": t.value()}.Redact(text)
}

// places words where a token was looked for.
func (t *token) places() string { return strings.Join(t.tried, ", ") }
