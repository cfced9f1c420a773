package gcs_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/spinup-llm/spinup/internal/srctest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/stretchr/testify/require"
)

// Whatever a server answers to a listing, there is a manifest or an error of a kind.
func FuzzListing(f *testing.F) {
	f.Add(200, `{"items":[{"name":"llama/a","size":"1","generation":"1","crc32c":"AAAAAA=="}]}`)
	f.Add(200, `{"items":[{"name":"llama/../a","size":"-1","crc32c":"!"}],"nextPageToken":"x"}`)
	f.Add(404, `{"error":{"code":404,"message":"\u001b[31m","errors":[{}]}}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			return // no answer, or one that is asked for again after a while
		}
		fake := answering(t, lists, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		})
		m, err := open(t, "gs://anonymous@models/llama/", fake.Env()).Resolve(t.Context())
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
			return
		}
		require.NotEmpty(t, m.Files)
	})
}

// Whatever the metadata server answers, there is a token or an error of a kind.
func FuzzMetadata(f *testing.F) {
	f.Add(granted)
	f.Add(`{"access_token":"a\nb","expires_in":1e99}`)
	f.Fuzz(func(t *testing.T, body string) {
		host := tokenService(t, http.StatusOK, body)[len("http://"):]
		_, err := google(t, answering(t, "", nil), lifecycle.EnvVars{"GCE_METADATA_HOST": host}).Resolve(t.Context())
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
		}
	})
}

// Only the range that was asked for, or the whole file, is taken for an answer.
func FuzzAnswer(f *testing.F) {
	srctest.Answers(f, false, func(a srctest.Answer, file source.File, off, n int64) error {
		return gcs.CheckAnswer(a.Length, a.Range, a.Coding, file, off, n)
	})
}

func FuzzPause(f *testing.F) { srctest.Pauses(f, gcs.Pause) }
