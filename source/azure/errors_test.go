package azure_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func isList(r *http.Request) bool { return r.URL.Query().Get("comp") == "list" }

// answering returns a fake that answers all lists, or all reads, in the same way.
func answering(t *testing.T, lists bool, answer http.HandlerFunc) *fake {
	t.Helper()
	f := newFake(t)
	f.put(t, "models", "llama/a.bin", []byte("0123456789"))
	f.before = func(w http.ResponseWriter, r *http.Request) bool {
		if isList(r) != lists || r.Method == http.MethodHead {
			return false
		}
		answer(w, r)
		return true
	}
	return f
}

func TestListErrors(t *testing.T) {
	t.Parallel()
	for code, c := range map[string]struct {
		status int
		kind   lifecycle.Kind
		hint   string
	}{
		"AuthenticationFailed":            {403, lifecycle.Unauthenticated, "does not belong to the account " + account},
		"AuthorizationFailure":            {403, lifecycle.AccessDenied, "check its firewall"},
		"AuthorizationPermissionMismatch": {403, lifecycle.AccessDenied, "leave out AZURE_STORAGE_ACCOUNT_KEY"},
		"PublicAccessNotPermitted":        {409, lifecycle.AccessDenied, "key"},
		"ContainerNotFound":               {404, lifecycle.NotFound, "check the name of the container"},
		"TooManyRequests":                 {429, lifecycle.Throttled, "slow down"},
		"ServerBusy":                      {503, lifecycle.Throttled, "slow down"},
		"InternalError":                   {500, lifecycle.Unavailable, "check the network"},
		"InvalidUri":                      {400, lifecycle.Invalid, "abfss://CONTAINER@ACCOUNT"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := answering(t, true, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				fail(w, c.status, code, "the message")
			})
			_, err := open(t, "az://models/llama", f.Env()).Resolve(t.Context())
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Resolve az://models/llama: ")
			require.ErrorContains(t, err, "the message")
			require.ErrorContains(t, err, c.hint)
			require.NotContains(t, dump(err), "canary")
			require.NotContains(t, dump(err), key)
			require.Equal(t, 7*time.Second, source.RetryAfter(err))
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
		"BlobNotFound":    {404, lifecycle.MissingFile, "upload it again"},
		"ConditionNotMet": {412, lifecycle.Corrupt, "it changed since it was listed"},
		"InvalidRange":    {416, lifecycle.Corrupt, "it changed since it was listed"},
		"BlobArchived":    {409, lifecycle.Invalid, "archive tier"},
		"ServerBusy":      {503, lifecycle.Throttled, "slow down"},
		"InternalError":   {500, lifecycle.Unavailable, "check the network"},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			f := answering(t, false, func(w http.ResponseWriter, _ *http.Request) {
				n.Add(1)
				w.Header().Set("X-Ms-Retry-After-Ms", "1500")
				fail(w, c.status, code, "the message")
			})
			src := open(t, "az://models/llama", f.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			_, err = src.Open(t.Context(), m.Files[0], 2, 3)
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, "source.Read az://models/llama/a.bin: ")
			require.ErrorContains(t, err, c.hint)
			require.Equal(t, 1500*time.Millisecond, source.RetryAfter(err))
			require.EqualValues(t, 1, n.Load(), "a read is not retried here")
		})
	}
}

// Small requests are tried again, so that one bad answer of many is no failure.
func TestListRetries(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	f := newFake(t)
	f.put(t, "models", "llama/a.bin", nil)
	f.before = func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 2 {
			return false
		}
		fail(w, http.StatusInternalServerError, "InternalError", "again")
		return true
	}
	m, err := open(t, "az://models/llama", f.Env()).Resolve(t.Context())
	require.NoError(t, err)
	require.Len(t, m.Files, 1)
}

// Bytes that are not the ones asked for never pass as those, and redirects are not followed.
func TestWrongBytes(t *testing.T) {
	t.Parallel()
	partial := func(w http.ResponseWriter, contentRange, data string) {
		w.Header().Set("Content-Range", contentRange)
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, data)
		_ = http.NewResponseController(w).Flush()
	}
	for name, answer := range map[string]http.HandlerFunc{
		"the range is ignored": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "0123456789") },
		"another range":        func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 3-5/10", "345") },
		"cut":                  func(w http.ResponseWriter, _ *http.Request) { partial(w, "bytes 2-4/10", "23") },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/?sig=canary", http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := open(t, "az://models/llama", answering(t, false, answer).Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			body, err := src.Open(t.Context(), m.Files[0], 2, 3)
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				require.NoError(t, body.Close())
			}
			require.ErrorIs(t, err, lifecycle.Unavailable)
			require.NotContains(t, dump(err), "canary")
		})
	}
}

// A listing that goes round in circles ends.
func TestListingGoesOn(t *testing.T) {
	t.Parallel()
	f := answering(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, "<EnumerationResults><Blobs/><NextMarker>x</NextMarker></EnumerationResults>")
	})
	_, err := open(t, "az://models/llama", f.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "does not go on")
}

// What stands for a folder is no file; a blob without a digest is one.
func TestFolderMarks(t *testing.T) {
	t.Parallel()
	item := func(name, size, properties, metadata string) string {
		return "<Blob><Name>llama/" + name + "</Name><Properties><Etag>0x1</Etag><Content-Length>" + size + "</Content-Length>" +
			properties + "</Properties>" + metadata + "</Blob>"
	}
	f := answering(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, "<EnumerationResults><Blobs>"+item("dir", "0", "<ResourceType>directory</ResourceType>", "")+
			item("sub", "0", "", "<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>")+item("slash/", "0", "", "")+
			item("sub/a.bin", "10", "", "")+"</Blobs><NextMarker/></EnumerationResults>")
	})
	m, err := open(t, "az://models/llama", f.Env()).Resolve(t.Context())
	require.NoError(t, err)
	require.Equal(t, []source.File{{Path: "sub/a.bin", Size: 10, Version: `"0x1"`}}, m.Files)
}

// Whatever a server answers to a listing, there is a manifest or an error of a kind.
func FuzzListing(f *testing.F) {
	f.Add(200, "<EnumerationResults><Blobs><Blob><Name>llama/a</Name><Properties><Etag>1</Etag></Properties></Blob></Blobs></EnumerationResults>")
	f.Add(200, "<EnumerationResults><Blobs><Blob><Name>llama/../a</Name><Properties><Content-Length>-1</Content-Length></Properties></Blob></Blobs>")
	f.Add(404, "<Error><Message>\u00e9&#27;</Message></Error>")
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 499 || status == 429 || status == 408 {
			return // no answer, or one that is asked for again after a while
		}
		fake := newFake(t)
		fake.before = func(w http.ResponseWriter, r *http.Request) bool {
			if isList(r) {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
			}
			return isList(r)
		}
		m, err := open(t, "az://models/llama/", fake.Env()).Resolve(t.Context())
		if err != nil {
			require.NotEqual(t, lifecycle.Unknown, lifecycle.KindOf(err))
			return
		}
		require.NotEmpty(t, m.Files)
	})
}

// An account is a host: one that nobody has is told as that.
func TestNoAccount(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{"AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1/" + account, "AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_KEY": key}
	_, err := open(t, "az://models/llama", env).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, "connection refused")
	require.ErrorContains(t, err, "http://127.0.0.1:1/"+account)
	for _, bad := range []string{"ftp://h", "http://user:canary@h", "http://h/?sig=canary", ":"} {
		_, err = tryOpen(t, "az://models/llama", with(env, "AZURE_STORAGE_ENDPOINT", bad))
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.NotContains(t, dump(err), "canary")
	}
	_, err = tryOpen(t, "az://models/llama", with(env, "AZURE_STORAGE_KEY", "canary!"))
	require.ErrorIs(t, err, lifecycle.Invalid)
	require.NotContains(t, dump(err), "canary")
	require.ErrorContains(t, err, "base64")
}
