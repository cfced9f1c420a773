package gcs_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/gcstest"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// More than one piece of an upload, as the SDK cuts it, and one that breaks off.
func TestServerTakesLargeFiles(t *testing.T) {
	t.Parallel()
	srv := gcstest.Start(t)
	srv.Bucket(t, "models")
	to := open(t, "gs://models/x", srv.Env()).(source.Creator)
	text := strings.Repeat("0123456789abcdef", 2<<20)
	require.NoError(t, to.Create(t.Context(), source.File{Path: "large", Size: int64(len(text))}, strings.NewReader(text)))
	err := to.Create(t.Context(), source.File{Path: "large", Size: int64(len(text))}, strings.NewReader(text))
	require.ErrorIs(t, err, fs.ErrExist)
	err = to.Create(t.Context(), source.File{Path: "broken", Size: int64(len(text))}, &breaking{of: strings.NewReader(text)})
	require.ErrorContains(t, err, "the disk broke")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, to.Create(ended, source.File{Path: "late"}, strings.NewReader("")), lifecycle.Canceled)

	m, err := to.Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 1, "nothing half-done is visible")
	require.Equal(t, text, readAll(t, to, m.Files[0]))

	err = open(t, "gs://nosuch/x", srv.Env()).(source.Creator).Create(t.Context(), source.File{Path: "f"}, strings.NewReader(""))
	require.ErrorIs(t, err, lifecycle.NotFound)
}

// breaking is content that can be read once, and in part the second time.
type breaking struct {
	of    *strings.Reader
	again bool
}

func (b *breaking) Seek(off int64, whence int) (int64, error) {
	b.again = true
	return b.of.Seek(off, whence)
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.again && b.of.Len() < 8<<20 {
		return 0, errors.New("the disk broke")
	}
	return b.of.Read(p)
}

// Reading never has a token that could write.
func TestTokensOfUploadsAloneCanWrite(t *testing.T) {
	t.Parallel()
	var asked []string
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, scope, _ := strings.Cut(r.URL.Query().Get("scopes"), "devstorage.")
		asked = append(asked, scope)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": scope, "expires_in": 3600})
	}))
	t.Cleanup(tokens.Close)
	at, err := url.Parse(tokens.URL)
	require.NoError(t, err)
	fake := gcstest.NewFake(t)
	fake.Put("models", "llama/a", []byte("data"))
	var uploads atomic.Int32
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			assert.Equal(t, "Bearer read_only", r.Header.Get("Authorization"))
			return false
		}
		assert.Equal(t, "Bearer read_write", r.Header.Get("Authorization"))
		assert.Equal(t, "0", r.URL.Query().Get("ifGenerationMatch"))
		sent, readErr := io.ReadAll(r.Body)
		assert.NoError(t, readErr)
		assert.Contains(t, string(sent), `"crc32c"`)
		if uploads.Add(1) == 1 {
			gcstest.Fail(w, http.StatusServiceUnavailable, "backendError", "Try again")
			return true
		}
		gcstest.Fail(w, http.StatusForbidden, "forbidden", "no")
		return true
	}
	src := google(t, fake, lifecycle.EnvVars{"GCE_METADATA_HOST": at.Host})
	_, err = src.Resolve(t.Context())
	require.NoError(t, err)
	err = src.(source.Creator).Create(t.Context(), source.File{Path: "f", Size: 4}, strings.NewReader("text"))
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.ErrorContains(t, err, "grant storage.objects.create on gs://models (the role Storage Object Creator has it)")
	require.EqualValues(t, 2, uploads.Load(), "a service that fails once is asked again")
	require.Equal(t, []string{"read_only", "read_write"}, asked)
}
