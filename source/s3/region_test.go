package s3_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

var scope = regexp.MustCompile(`Credential=[^/]+/\d+/([a-z0-9-]+)/s3/aws4_request`)

// signedFor returns the region that a request is signed for.
func signedFor(r *http.Request) string {
	if m := scope.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
		return m[1]
	}
	return ""
}

// elsewhere refuses what is not signed for eu-west-1, in one of the ways of S3.
func elsewhere(refuse http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if signedFor(r) == "eu-west-1" {
			return false
		}
		refuse(w, r)
		return true
	}
}

// A bucket in another region is found by itself, and only once.
func TestGoesToTheRegion(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]http.HandlerFunc{
		"301 with the header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-amz-bucket-region", "eu-west-1")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			s3test.Fail(w, 301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
		},
		"307 with the header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-amz-bucket-region", "eu-west-1")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			s3test.Fail(w, 307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint.")
		},
		"400 with the region in words": func(w http.ResponseWriter, _ *http.Request) {
			s3test.Fail(w, 400, "AuthorizationHeaderMalformed",
				"The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake(t)
			fake.Put("models", "llama/a", []byte("data"))
			fake.Before = elsewhere(refuse)
			src := open(t, "s3://models/llama", fake.Env())
			m, err := src.Resolve(t.Context())
			require.NoError(t, err)
			require.Equal(t, "data", readAll(t, src, m.Files[0]))
			require.Len(t, fake.Requests(), 3, "a refused list, then list and GET: %v", fake.Requests())

			require.Equal(t, "data", readAll(t, open(t, "s3://models/llama", fake.Env()), m.Files[0]), "a read may be the first request")
		})
	}
}

func TestWrongRegion(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake(t)
	fake.Before = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("x-amz-bucket-region", "mars-1")
		s3test.Fail(w, 301, "PermanentRedirect", "elsewhere")
		return true
	}
	_, err := open(t, "s3://models/llama", fake.Env()).Resolve(t.Context())
	require.ErrorIs(t, err, lifecycle.WrongRegion)
	require.ErrorContains(t, err, "set AWS_REGION to the region of the bucket (mars-1)")
	require.Len(t, fake.Requests(), 2, "once more, not for ever")
}

// recorder answers as if every bucket were empty and notes where requests go.
type recorder struct{ urls []string }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	r.urls = append(r.urls, req.URL.Scheme+"://"+req.URL.Host+req.URL.Path)
	res := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Request: req, Body: http.NoBody, ProtoMajor: 1, ProtoMinor: 1}
	if strings.Contains(req.URL.Host, "us-east-1") && strings.Contains(req.URL.String(), "moved") {
		res.StatusCode = http.StatusMovedPermanently
		res.Header.Set("X-Amz-Bucket-Region", "eu-west-1")
	}
	return res, nil
}

// Requests go to the service's host, with the bucket in the name unless it has a dot.
func TestAddressing(t *testing.T) {
	t.Parallel()
	for uri, c := range map[string]struct {
		env  lifecycle.EnvVars
		want []string
	}{
		"s3://models/llama": {nil, []string{"https://models.s3.us-east-1.amazonaws.com/"}},
		"s3://my.models/a":  {nil, []string{"https://s3.us-east-1.amazonaws.com/my.models"}},
		"s3://models/a":     {lifecycle.EnvVars{"AWS_REGION": "ap-south-1"}, []string{"https://models.s3.ap-south-1.amazonaws.com/"}},
		"s3://models/b":     {lifecycle.EnvVars{"AWS_DEFAULT_REGION": "cn-north-1"}, []string{"https://models.s3.cn-north-1.amazonaws.com.cn/"}},
		"s3://models/c":     {lifecycle.EnvVars{"AWS_USE_FIPS_ENDPOINT": "true"}, []string{"https://models.s3-fips.us-east-1.amazonaws.com/"}},
		"s3://models/d":     {lifecycle.EnvVars{"AWS_USE_DUALSTACK_ENDPOINT": "TRUE"}, []string{"https://models.s3.dualstack.us-east-1.amazonaws.com/"}},
		"s3://models/e":     {lifecycle.EnvVars{"AWS_ENDPOINT_URL": "http://minio:9000/"}, []string{"http://minio:9000/models"}},
		"s3://models/f": {
			lifecycle.EnvVars{"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_ENDPOINT_URL_S3": "https://other/base"},
			[]string{"https://other/base/models"},
		},
		"s3://models/g": {
			lifecycle.EnvVars{"AWS_ENDPOINT_URL": "http://minio:9000", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
			[]string{"https://models.s3.us-east-1.amazonaws.com/"},
		},
		"s3://moved/h/": {nil, []string{"https://moved.s3.us-east-1.amazonaws.com/", "https://moved.s3.eu-west-1.amazonaws.com/"}},
	} {
		rec := &recorder{}
		src := openWith(t, strings.Replace(uri, "s3://", "s3://anonymous@", 1), c.env, &http.Client{Transport: rec})
		_, _ = src.Resolve(t.Context()) // the answers make no sense
		require.Equal(t, c.want, rec.urls[:len(c.want)], uri)
	}
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL":    "127.0.0.1:9000",
		"AWS_ENDPOINT_URL_S3": "http://user:canary@host",
		"AWS_REGION":          "eu west/1",
		"AWS_CA_BUNDLE":       "/no/such/file",
	} {
		_, err := tryOpen(t, "s3://models/llama", lifecycle.EnvVars{key: value})
		require.ErrorIs(t, err, lifecycle.Invalid, key)
		require.ErrorContains(t, err, strings.TrimSuffix(key, "_S3"))
		require.NotContains(t, err.Error(), "canary")
	}
}
