package s3_test

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/s3"
	"github.com/stretchr/testify/require"
)

// A model costs its listing, one request per file that has a digest, and its ranges.
func TestRequestsPerModel(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	for i := range 40 {
		fake.Put("models", fmt.Sprintf("llama/tokenizer/%d.json", i), []byte("{}"))
	}
	fake.Put("models", "llama/hash", []byte("0e9e39f249a16976918f6564b8830bc894c89659"))
	for i := range 4 {
		fake.PutObject("models", fmt.Sprintf("llama/%d.safetensors", i), inParts("CRC32", crc32.IEEE, make([]byte, 100_000), 60_000, 40_000))
	}
	fake.PageSize = 20
	src, dir := open(t, "s3://models/llama", fake.Env()), t.TempDir()
	m := new(download.Manager)
	man, err := m.Resolve(t.Context(), src)
	require.NoError(t, err)
	plan, err := m.Plan(t.Context(), man, dir)
	require.NoError(t, err)
	for _, err := range m.Run(t.Context(), src, plan) {
		require.NoError(t, err)
	}
	require.NoError(t, download.Verify(t.Context(), man, dir))
	lists, others := 0, map[string]int{}
	for _, r := range fake.Requests() {
		method, uri, _ := strings.Cut(r, " ")
		u, parseErr := url.Parse(uri)
		require.NoError(t, parseErr)
		switch {
		case strings.Trim(u.Path, "/") == "models":
			lists++
		case method == http.MethodGet && !u.Query().Has("attributes"):
			others["ranges"]++
		default:
			others["digests"]++
		}
	}
	require.Equal(t, 3, lists, "45 keys in pages of 20")
	require.Equal(t, 4*2, others["digests"], "a HEAD and the parts' of each that was uploaded in parts; answers tell the others'")
	require.Equal(t, 45+1, others["ranges"], "one per file, and the mark that is read first")

	before := len(fake.Requests())
	plan, err = m.Plan(t.Context(), man, dir)
	require.NoError(t, err)
	require.Zero(t, plan.Fetch)
	require.Len(t, fake.Requests(), before, "what is there costs nothing")
}

// Thousands of keys come in pages of a thousand.
func TestThousandsOfKeys(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	for i := range 5500 {
		fake.PutObject("models", fmt.Sprintf("llama/%d/part-%04d", i%7, i), s3test.Object{ETag: `"of its own"`})
	}
	require.Len(t, resolve(t, fake.Env()).Files, 5500)
	require.Len(t, fake.Requests(), 6)
}

// A mirror's mark tells the commit, and does not hide that something else has changed.
func TestMark(t *testing.T) {
	t.Parallel()
	const commit = "0e9e39f249a16976918f6564b8830bc894c89659"
	fake := s3test.NewFake(t)
	fake.Put("models", "llama/a", nil)
	plain := resolve(t, fake.Env()).Revision
	fake.Put("models", "llama/hash", []byte(commit+"\n"))
	first := resolve(t, fake.Env())
	require.True(t, strings.HasPrefix(first.Revision, commit+"-"), first.Revision)
	require.Len(t, first.Files, 2)
	require.Equal(t, "sha256", first.Files[1].Digest.Algorithm)
	fake.Put("models", "llama/a", []byte("other"))
	second := resolve(t, fake.Env()).Revision
	require.True(t, strings.HasPrefix(second, commit+"-"))
	require.NotEqual(t, first.Revision, second)

	for _, other := range []string{"two words", "../../x", strings.Repeat("x", 65), strings.Repeat("x", 200), ""} {
		fake.Put("models", "llama/hash", []byte(other))
		revision := resolve(t, fake.Env()).Revision
		require.Len(t, revision, len(plain), "%q is no commit", other)
	}
}

// Who pays is said on every request, by the option or by the environment.
func TestRequesterPays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts *s3.Options
		env  lifecycle.EnvVars
		want string
	}{
		"nobody":      {nil, nil, ""},
		"option":      {&s3.Options{RequesterPays: true}, nil, "requester"},
		"environment": {nil, lifecycle.EnvVars{"AWS_REQUEST_PAYER": "requester"}, "requester"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake(t)
			fake.PutObject("models", "llama/a", inParts("CRC32", crc32.IEEE, []byte("data"), 4))
			fake.Put("models", "llama/b", []byte("data"))
			var mu sync.Mutex
			said := map[string]bool{}
			fake.Before = func(_ http.ResponseWriter, r *http.Request) bool {
				mu.Lock()
				defer mu.Unlock()
				said[r.Header.Get("X-Amz-Request-Payer")] = true
				return false
			}
			src, err := newMux(s3.Opener(c.opts)).WithEnv(fake.Env()).WithEnv(c.env).Open(t.Context(), "s3://models/llama")
			require.NoError(t, err)
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			require.Equal(t, "data", readAll(t, src, m.Files[0]))
			require.Equal(t, map[string]bool{c.want: true}, said)
		})
	}
}

// A bucket is addressed as its server knows it, and as the user says.
func TestAddressingStyle(t *testing.T) {
	t.Parallel()
	const minio, aws = "http://minio.example:9000", "http://s3.eu-west-1.amazonaws.com"
	yes, no := true, false
	for _, c := range []struct {
		endpoint, bucket string
		opts             *s3.Options
		env              string
		want             string
	}{
		{aws, "models", nil, "", "http://models.s3.eu-west-1.amazonaws.com/"},
		{aws, "mod.els", nil, "", aws + "/mod.els"},
		{aws, "models", &s3.Options{PathStyle: &yes}, "", aws + "/models"},
		{aws, "models", nil, "0", aws + "/models"},
		{minio, "models", nil, "", minio + "/models"},
		{minio, "models", &s3.Options{PathStyle: &no}, "", "http://models.minio.example:9000/"},
		{minio, "models", &s3.Options{PathStyle: &yes}, "1", "http://models.minio.example:9000/"},
		{"https://oss-cn-hangzhou.aliyuncs.com", "models", nil, "", "https://models.oss-cn-hangzhou.aliyuncs.com/"},
		{"https://notaliyuncs.com", "models", nil, "", "https://notaliyuncs.com/models"},
	} {
		rec := &recorder{}
		mux := newMux(s3.Opener(c.opts))
		mux.HTTP = &http.Client{Transport: rec}
		src, err := mux.WithEnv(lifecycle.EnvVars{
			"AWS_ENDPOINT_URL_S3": c.endpoint, "RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": c.env,
		}).Open(t.Context(), "s3://anonymous@"+c.bucket+"/llama")
		require.NoError(t, err)
		_, _ = src.Resolve(t.Context()) // the answers make no sense
		require.Equal(t, c.want, rec.urls[0])
	}
}

// A small request waits as long as it is asked to; a long wait is for whoever asked.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for after, want := range map[string]int{"1": 2, "60": 1} {
		fake := s3test.NewFake(t)
		fake.Put("models", "llama/a", nil)
		var mu sync.Mutex
		var times []time.Time
		fake.Before = func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			defer mu.Unlock()
			if r.Method != http.MethodGet {
				return false
			}
			times = append(times, time.Now())
			if len(times) > 1 {
				return false
			}
			w.Header().Set("Retry-After", after)
			s3test.Fail(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
			return true
		}
		_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
		require.Len(t, times, want)
		if want == 2 {
			require.NoError(t, err)
			require.GreaterOrEqual(t, times[1].Sub(times[0]), 900*time.Millisecond)
			continue
		}
		require.ErrorIs(t, err, lifecycle.Throttled)
		require.Equal(t, time.Minute, source.RetryAfter(err))
	}
}
