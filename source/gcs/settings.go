package gcs

import (
	"cmp"
	"errors"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// google is where the JSON API is, unless an emulator is named.
const google = "https://storage.googleapis.com"

// settings are what the environment says.
type settings struct {
	env      func(string) string
	endpoint *url.URL // of the JSON API, without its path
	emulator bool
	scope    string // of the tokens
	project  string // that pays, or "" for the credentials' own
}

func load(loc location, opts *Options, o *source.OpenOptions) (settings, error) {
	s := settings{env: o.Env, scope: readScope}
	if opts != nil {
		s.project = opts.UserProject
	}
	s.project = cmp.Or(s.project, s.env("GOOGLE_CLOUD_QUOTA_PROJECT"))
	at := google
	if host := s.env("STORAGE_EMULATOR_HOST"); host != "" {
		s.emulator, at = true, host
		if !strings.Contains(host, "://") {
			at = "http://" + host
		}
	}
	u, err := url.Parse(strings.TrimSuffix(at, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return s, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(),
			Err:  errors.New("the emulator " + source.Redact(at) + " is no address of a server"),
			Hint: "set STORAGE_EMULATOR_HOST to HOST:PORT or http://HOST:PORT",
		}
	}
	s.endpoint = u
	return s, nil
}

// api is the root of the JSON API.
func (s settings) api() string { return s.endpoint.String() + "/storage/v1/" }

// wellKnown is the file that "gcloud auth application-default login" writes, or "".
func (s settings) wellKnown() string {
	const name = "application_default_credentials.json"
	if dir := s.env("CLOUDSDK_CONFIG"); dir != "" {
		return filepath.Join(dir, name)
	}
	if runtime.GOOS == "windows" {
		if dir := s.env("APPDATA"); dir != "" {
			return filepath.Join(dir, "gcloud", name)
		}
		return ""
	}
	if home := s.env("HOME"); home != "" {
		return filepath.Join(home, ".config", "gcloud", name)
	}
	return ""
}
