package hub

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	defaultEndpoint = "https://huggingface.co"
	defaultTimeout  = 10 * time.Second
)

// settings are what the options and the environment say.
type settings struct {
	endpoint *url.URL
	token    token
	offline  string        // the variable that says so, or ""
	answer   time.Duration // that the hub may take
	transfer time.Duration // that the server of a large file may take to begin
	cache    string        // the folder of the hub's tools, or ""
	noLinks  bool          // that folder holds files in place of links
}

func load(loc location, endpoint string, o *source.OpenOptions) (settings, error) {
	var s settings
	invalid := func(err error, hint string) (settings, error) {
		return settings{}, &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(), Err: err, Hint: hint}
	}
	var err error
	if s.endpoint, err = parseEndpoint(cmp.Or(endpoint, o.Env("HF_ENDPOINT"), defaultEndpoint)); err != nil {
		return invalid(err, "set HF_ENDPOINT to https://HOST")
	}
	if s.token, err = findToken(o.Env); err != nil {
		return invalid(err, "make a new token at "+s.page("settings/tokens"))
	}
	if s.answer, err = seconds(o, "HF_HUB_ETAG_TIMEOUT"); err != nil {
		return invalid(err, "give a number of seconds")
	}
	if s.transfer, err = seconds(o, "HF_HUB_DOWNLOAD_TIMEOUT"); err != nil {
		return invalid(err, "give a number of seconds")
	}
	s.cache, s.noLinks = CacheDir(o.Env), isTrue(o.Env("HF_HUB_DISABLE_SYMLINKS"))
	for _, key := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		if s.offline == "" && isTrue(o.Env(key)) {
			s.offline = key
		}
	}
	return s, nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(strings.TrimSpace(endpoint), "/"))
	if err != nil || !isWeb(u) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the endpoint %s is no URL of a hub", source.Redact(endpoint))
	}
	return u, nil
}

func isWeb(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" }

// isTrue reads a switch as huggingface_hub does.
func isTrue(value string) bool {
	return slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(value))
}

func seconds(o *source.OpenOptions, key string) (time.Duration, error) {
	value := o.Env(key)
	if value == "" || value == "0" { // as in Python
		return defaultTimeout, nil
	}
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || !(n > 0 && n <= 86400) {
		return 0, errors.New(key + " is no time")
	}
	return time.Duration(n * float64(time.Second)), nil
}

// at returns the address of an escaped path of the hub.
func (s settings) at(escaped, query string) (*url.URL, error) {
	u, err := url.Parse(s.endpoint.String() + "/" + escaped)
	if err != nil {
		return nil, errors.New("no address can be made of " + strconv.Quote(escaped))
	}
	u.RawQuery = query
	return u, nil
}

// page is an address for a person.
func (s settings) page(path string) string { return s.endpoint.String() + "/" + path }

// home is the folder of the Hugging Face tools, or "".
func home(env func(string) string) string {
	if dir := env("HF_HOME"); dir != "" {
		return expand(dir, env)
	}
	if dir := env("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(expand(dir, env), "huggingface")
	}
	if dir := userHome(env); dir != "" {
		return filepath.Join(dir, ".cache", "huggingface")
	}
	return ""
}

// userHome is the home of the user, as the system knows it where no variable says: a service of
// systemd has no HOME. It is "" where the system knows none either.
func userHome(env func(string) string) string {
	if dir := cmp.Or(env("HOME"), env("USERPROFILE")); dir != "" {
		return dir
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return ""
}

// CacheDir returns the absolute folder in which the tools of the hub keep models, as the
// settings say that getenv returns ("Settings" above), or "" where there is no home for it.
func CacheDir(getenv func(string) string) string {
	dir := expand(cmp.Or(getenv("HF_HUB_CACHE"), getenv("HUGGINGFACE_HUB_CACHE")), getenv)
	if dir == "" && home(getenv) != "" {
		dir = filepath.Join(home(getenv), "hub")
	}
	if dir == "" {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	return abs
}

var variables = regexp.MustCompile(`\$(\w+|\{[^}]*\})`)

// expand resolves a leading "~", and then the variables that are set, as Python does.
func expand(dir string, env func(string) string) string {
	if rest, ok := strings.CutPrefix(dir, "~"); ok && (rest == "" || rest[0] == '/') {
		dir = userHome(env) + rest
	}
	return variables.ReplaceAllStringFunc(dir, func(name string) string {
		return cmp.Or(env(strings.Trim(name, "${}")), name)
	})
}
