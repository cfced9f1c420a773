package s3_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// answering returns a fake that answers everything of one method in the same way.
func answering(t *testing.T, method string, answer http.HandlerFunc) *s3test.Fake {
	t.Helper()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a.bin", []byte("0123456789"))
	fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
		list := r.URL.Query().Has("list-type")
		if (method == "LIST") != list || (!list && r.Method != method) {
			return false
		}
		answer(w, r)
		return true
	}
	return fake
}

func TestListErrors(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"AccessDenied":          {403, lifecycle.AccessDenied, "allow s3:ListBucket on arn:aws:s3:::models to the owner of the credentials, which came from AWS_ACCESS_KEY_ID"},
		"InvalidAccessKeyId":    {403, lifecycle.Unauthenticated, "does not know these keys"},
		"SignatureDoesNotMatch": {403, lifecycle.Unauthenticated, "check AWS_SECRET_ACCESS_KEY"},
		"ExpiredToken":          {400, lifecycle.Unauthenticated, "get a new AWS_SESSION_TOKEN"},
		"InvalidToken":          {400, lifecycle.Unauthenticated, "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY (used)"},
		"RequestTimeTooSkewed":  {403, lifecycle.Unauthenticated, "set the clock"},
		"SlowDown":              {503, lifecycle.Throttled, "slow down"},
		"PermanentRedirect":     {301, lifecycle.WrongRegion, "set AWS_REGION"},
		"InternalError":         {500, lifecycle.Unavailable, "AWS_ENDPOINT_URL"},
		"NotImplemented":        {501, lifecycle.Unavailable, "AWS_ENDPOINT_URL"},
		"InvalidBucketName":     {400, lifecycle.Invalid, "s3://BUCKET/PREFIX"},
		"SomethingNew":          {418, lifecycle.Invalid, "s3://BUCKET/PREFIX"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			fake := answering(t, "LIST", func(w http.ResponseWriter, _ *http.Request) {
				s3test.Fail(w, c.status, code, "the message")
			})
			_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Resolve s3://models/llama: ")
			require.ErrorContains(t, err, code+": the message")
			require.ErrorContains(t, err, c.hint)
			api, ok := errors.AsType[smithy.APIError](err)
			require.True(t, ok)
			require.Equal(t, code, api.ErrorCode())
		})
	}
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"AccessDenied":       {403, lifecycle.AccessDenied, "allow s3:GetObject on arn:aws:s3:::models/llama/a.bin"},
		"PreconditionFailed": {412, lifecycle.Corrupt, "it changed since it was listed"},
		"InvalidRange":       {416, lifecycle.Corrupt, "it changed since it was listed"},
		"NoSuchKey":          {404, lifecycle.MissingFile, "upload it again"},
		"InvalidObjectState": {403, lifecycle.Invalid, "archived"},
		"SlowDown":           {503, lifecycle.Throttled, "slow down"},
		"InternalError":      {500, lifecycle.Unavailable, "network"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			fake := answering(t, http.MethodGet, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				s3test.Fail(w, c.status, code, "the message")
			})
			src := open(t, "s3://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			before := len(fake.Requests())
			_, err = src.Open(t.Context(), m.Files[0], 2, 3)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Read s3://models/llama/a.bin: ")
			require.ErrorContains(t, err, c.hint)
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
			require.Len(t, fake.Requests(), before+1, "a read is not retried here")
		})
	}
}

// A HEAD has no body to tell why it is refused.
func TestHeadErrors(t *testing.T) {
	t.Parallel()
	for status, kind := range map[int]lifecycle.Kind{
		403: lifecycle.AccessDenied, 404: lifecycle.MissingFile, 412: lifecycle.Corrupt, 500: lifecycle.Unavailable,
	} {
		fake := answering(t, http.MethodHead, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		src := open(t, "s3://models/llama", fake.Env())
		m, err := src.Resolve(t.Context())
		require.NoError(t, err)
		_, err = src.(source.Digester).Digest(t.Context(), m.Files[0])
		require.ErrorIs(t, err, kind, "%d", status)
		require.ErrorContains(t, err, "s3://models/llama/a.bin")
		if status == 403 {
			require.ErrorContains(t, err, "allow s3:GetObject on arn:aws:s3:::models/llama/a.bin")
		}
	}
}

func TestAnonymousDenied(t *testing.T) {
	t.Parallel()
	fake := answering(t, "LIST", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("an anonymous request is signed")
		}
		s3test.Fail(w, 403, "AccessDenied", "Access Denied")
	})
	_, err := open(t, "s3://anonymous@models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.AccessDenied)
	require.ErrorContains(t, err, "allow s3:ListBucket on arn:aws:s3:::models to everybody, or give keys and leave out anonymous@")
}

// Small requests are tried again, so that one bad answer of many is no failure.
func TestListRetries(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a.bin", nil)
	fake.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 2 {
			return false
		}
		s3test.Fail(w, 503, "SlowDown", "Please reduce your request rate.")
		return true
	}
	require.Len(t, resolve(t, fake.Env()).Files, 1)
}

func TestNotS3(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"a page":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<!DOCTYPE html><p>Hello") },
		"no answer": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := answering(t, "LIST", answer)
			_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "AWS_ENDPOINT_URL")
		})
	}
	env := s3test.NewFake(t).Env()
	env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
	_, err := open(t, "s3://models/llama", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "connection refused")
}

// A listing that goes round in circles ends.
func TestListingGoesOn(t *testing.T) {
	t.Parallel()
	fake := answering(t, "LIST", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>`+
			`<Contents><Key>llama/a</Key><Size>1</Size></Contents></ListBucketResult>`)
	})
	_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "does not go on")
}

// Bytes that are not the ones asked for never pass as those.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"the range is ignored": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") },
		"another range": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 3-5/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "345")
		},
		"too few": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "23")
		},
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.Header().Set("Content-Length", "3")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "23")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"cut without a length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 2-4/10")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "23")
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := answering(t, http.MethodGet, answer)
			src := open(t, "s3://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			body, err := src.Open(t.Context(), m.Files[0], 2, 3)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				require.NoError(t, body.Close())
			}
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.ErrorContains(t, err, "s3://models/llama/a.bin")
		})
	}
}

// An object that is longer than the manifest says is another one.
func TestLongerObject(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a.bin", []byte("0123456789"))
	_, err := open(t, "s3://models/llama", fake.Env()).Open(t.Context(), source.File{Path: "a.bin", Size: 4}, 0, -1)
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "asked for 4 bytes, the answer has 10")
}

// No error, and no formatting of what the driver returns, shows a key.
func TestNoSecretLeaves(t *testing.T) {
	t.Parallel()
	const canary = "canary/of+the+secret"
	for _, code := range []string{"SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "Weird"} {
		fake := answering(t, "LIST", func(w http.ResponseWriter, r *http.Request) {
			s3test.Fail(w, 403, code, "echo "+canary+" token-"+canary+" id-"+canary+" "+r.Header.Get("Authorization"))
		})
		env := maps.Clone(fake.Env())
		env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"] = "id-"+canary, canary, "token-"+canary
		src := open(t, "s3://models/llama", env)
		_, err := src.Resolve(t.Context())
		require.Error(t, err)
		inside := struct{ src source.Source }{src} // where fmt cannot call String
		for _, text := range []string{err.Error(), dump(err), dump(src), dump(inside)} {
			require.NotContains(t, text, "canary", "%s", code)
		}
		for e := range lifecycle.Errors(err) {
			require.NotContains(t, dump(*e), "canary")
			require.NotContains(t, dump(e.Err), "canary")
		}
	}
}
