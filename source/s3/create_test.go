package s3_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func fileOf(text string) source.File {
	sum := sha256.Sum256([]byte(text))
	return source.File{Path: "a/f", Size: int64(len(text)), Digest: source.Digest{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}}
}

func TestServerRefusesToCreate(t *testing.T) {
	t.Parallel()
	each(t, testServerRefusesToCreate)
}

func testServerRefusesToCreate(t *testing.T, srv *s3test.Server) {
	t.Helper()
	srv.Bucket(t, "models")
	srv.Public(t, "models")
	to := open(t, "s3://models/x/", srv.Env()).(source.Creator)
	other := fileOf("text")
	err := to.Create(t.Context(), other, strings.NewReader("tExt"))
	require.Error(t, err, "the service checks the digest")

	err = open(t, "s3://anonymous@models/x/", srv.Env()).(source.Creator).Create(t.Context(), other, strings.NewReader("text"))
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.ErrorContains(t, err, "s3:PutObject on arn:aws:s3:::models/x/a/f")

	err = open(t, "s3://nosuch/x/", srv.Env()).(source.Creator).Create(t.Context(), other, strings.NewReader("text"))
	require.ErrorIs(t, err, lifecycle.NotFound)
	_, err = to.Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.NotFound, "nothing was stored")
}

// A service that fails once is asked again, with all of the bytes.
func TestCreateIsTriedAgain(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	srv := s3test.NewFake(t)
	srv.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if tries.Add(1) == 1 {
			s3test.Fail(w, http.StatusServiceUnavailable, "SlowDown", "Reduce your request rate")
			return true
		}
		if r.Header.Get("If-None-Match") != "*" || r.ContentLength != 4 {
			t.Error("another request", r.Header, r.ContentLength)
		}
		return true
	}
	require.NoError(t, open(t, "s3://models/x/", srv.Env()).(source.Creator).Create(t.Context(), fileOf("text"), strings.NewReader("text")))
	require.EqualValues(t, 2, tries.Load())
}
