package oci_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/oci"
	"github.com/stretchr/testify/require"
)

// Only the range that was asked for, or the whole blob, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	srctest.Answers(f, true, func(a srctest.Answer, file source.File, off, n int64) error {
		return oci.CheckAnswer(a.Status, a.Length, a.Range, a.Coding, file, off, n)
	})
}

func FuzzPause(f *testing.F) { srctest.Pauses(f, oci.Pause) }

// What a registry says about an error is one short line, without its details.
func FuzzRefusal(f *testing.F) {
	f.Add(404, `{"errors":[{"code":"BLOB_UNKNOWN","message":"no\nblob","detail":"canary"}]}`)
	f.Add(403, `{"errors":[{"code":"`+strings.Repeat("é", 300)+`","detail":{"canary":1}},{}]}`)
	f.Add(500, "<html>")
	f.Add(429, `{"errors":[null]}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		text := oci.Refusal(status, body)
		require.True(t, strings.HasPrefix(text, "the registry answered "+strconv.Itoa(status)), text)
		require.NotContains(t, text, "\n")
		require.Less(t, len(text), 460)
		require.True(t, utf8.ValidString(text), "%q", text)
		if !strings.Contains(strings.ToUpper(body), "ERRORS") && !strings.Contains(body, `\`) { // which may spell it
			require.Less(t, len(text), 60, "there are no words of the registry: %q", text)
		}
	})
}
