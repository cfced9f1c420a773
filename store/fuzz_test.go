package store_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/spinup-llm/spinup/store"
	"github.com/stretchr/testify/require"
)

// Whatever range is asked for, the answer is of the file, and says how long it is.
func FuzzRange(f *testing.F) {
	for _, header := range []string{"bytes=0-3", "bytes=-4", "bytes=3-", "bytes=9-3", "bytes=99999999999999999999-", "bytes=--", "bytes=0-0,1-1"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		data := model["model-1.safetensors"]
		w := httptest.NewRecorder()
		store.Answer(w, header, "model-1.safetensors", data)
		body := w.Body.Bytes()
		switch w.Code {
		case http.StatusOK:
			require.Equal(t, data, body)
		case http.StatusPartialContent:
			require.Contains(t, w.Header().Get("Content-Range"), fmt.Sprintf("/%d", len(data)))
			require.True(t, len(body) > 0 && bytes.Contains(data, body))
			require.Equal(t, fmt.Sprint(len(body)), w.Header().Get("Content-Length"))
		default:
			require.Equal(t, http.StatusRequestedRangeNotSatisfiable, w.Code)
		}
	})
}
