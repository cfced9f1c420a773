package hub_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// Only the range that was asked for, or the whole file, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	f.Add(206, int64(50), "bytes 10-59/100", "")
	f.Add(200, int64(100), "", "identity")
	f.Add(200, int64(-1), "", "gzip")
	f.Add(206, int64(50), "bytes 11-60/100", "GZIP")
	file := source.File{Path: "a", Size: 100}
	f.Fuzz(func(t *testing.T, status int, length int64, contentRange, coding string) {
		if hub.CheckAnswer(status, length, contentRange, coding, file, 10, 50) != nil {
			return
		}
		require.Contains(t, []string{"", "identity", "gzip"}, strings.ToLower(coding))
		switch status {
		case 206:
			require.True(t, strings.HasPrefix(contentRange, "bytes 10-59/"))
			require.True(t, length < 0 || length == 50)
		case 200:
			require.True(t, length < 0 || length == 100 || strings.EqualFold(coding, "gzip"))
		default:
			require.Fail(t, "a status that is no success", status)
		}
	})
}

// What a server says about an error is one short line without the query of an address.
func FuzzRefusal(f *testing.F) {
	f.Add(404, "EntryNotFound", "no file", "")
	f.Add(403, "", "", `{"error":"see https://x/?Signature=canary\nnow"}`)
	f.Fuzz(func(t *testing.T, status int, code, message, body string) {
		text := hub.Refusal(status, code, message, body)
		require.NotContains(t, text, "\n")
		require.Less(t, len(text), 700)
		for i := range len(text) - 1 {
			require.False(t, text[i] == '?' && !strings.ContainsRune(": …", []rune(text[i+1:])[0]), text)
		}
	})
}

// A redirect leads to a web address, from https to https, and brings no password.
func FuzzTarget(f *testing.F) {
	for _, location := range []string{"", "/x?y=z", "//other/x", "http://a/b", "https://u:p@h/", "ftp://x", "\x00", "https://[::1"} {
		f.Add(location)
	}
	from, err := url.Parse("https://hub.example/org/name")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, location string) {
		to, err := hub.Target(from, location)
		if err != nil {
			if len(location) > 3 {
				require.NotContains(t, strings.ReplaceAll(err.Error(), from.Host, ""), location)
			}
			return
		}
		require.Equal(t, "https", to.Scheme)
		require.NotEmpty(t, to.Hostname())
		require.Nil(t, to.User)
	})
}

func FuzzNoted(f *testing.F) {
	f.Add(`W/"abc"`, "12")
	f.Add("", "-1")
	f.Fuzz(func(t *testing.T, etag, size string) {
		tag, n := hub.Noted(etag, size)
		require.GreaterOrEqual(t, n, int64(-1))
		require.False(t, strings.HasPrefix(tag, `"`) || strings.HasSuffix(tag, `"`))
	})
}
