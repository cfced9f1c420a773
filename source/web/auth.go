package web

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// An auth is what one origin is told. The secret stays behind a function, where no
// formatting finds it.
type auth struct {
	from   string // where it came from, in words
	origin *url.URL
	header func() string
	redact func(string) string
}

// credentials finds what belongs to the location's origin; nil where there is nothing.
func credentials(loc location, u *url.URL, env func(string) string) (*auth, error) {
	if u.User != nil {
		password, _ := u.User.Password()
		return basic("the URI", loc.at, u.User.Username(), password), nil
	}
	named := env("SPINUP_HTTP_ORIGIN")
	if named == "" {
		return nil, nil //nolint:nilnil // no credentials are no error
	}
	origin, err := url.Parse(named)
	if err != nil || !isWeb(origin) || origin.User != nil || strings.Trim(origin.Path, "/") != "" || origin.RawQuery != "" {
		return nil, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(),
			Err: errors.New("SPINUP_HTTP_ORIGIN is no origin"), Hint: "set it to https://HOST or https://HOST:PORT",
		}
	}
	if !sameOrigin(origin, loc.at) {
		return nil, nil //nolint:nilnil // they are for another server
	}
	if token := env("SPINUP_HTTP_TOKEN"); token != "" {
		secrets := lifecycle.EnvVars{"token": token}
		return &auth{"SPINUP_HTTP_TOKEN", loc.at, func() string { return "Bearer " + token }, secrets.Redact}, nil
	}
	if user := env("SPINUP_HTTP_USER"); user != "" {
		return basic("SPINUP_HTTP_USER", loc.at, user, env("SPINUP_HTTP_PASSWORD")), nil
	}
	return nil, nil //nolint:nilnil // see above
}

func basic(from string, origin *url.URL, user, password string) *auth {
	pair := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	secrets := lifecycle.EnvVars{"auth": pair, "user_key": user, "password": password}
	return &auth{from, origin, func() string { return "Basic " + pair }, secrets.Redact}
}

// add tells the credentials to their origin, and to no other.
func (a *auth) add(r *http.Request) {
	if a != nil && sameOrigin(r.URL, a.origin) {
		r.Header.Set("Authorization", a.header())
	}
}

// text takes the credentials out of a foreign text.
func (a *auth) text(s string) string {
	if a == nil {
		return s
	}
	return a.redact(s)
}

// hint says which credentials were used, or how to give some.
func (a *auth) hint(origin *url.URL) string {
	if a != nil {
		return "the server does not accept the credentials from " + a.from + ": check them"
	}
	return "set SPINUP_HTTP_ORIGIN=" + origin.Scheme + "://" + origin.Host + " with SPINUP_HTTP_TOKEN, or with SPINUP_HTTP_USER and " +
		"SPINUP_HTTP_PASSWORD; tried in this order: the URI (none), SPINUP_HTTP_TOKEN and SPINUP_HTTP_USER (none for this origin)"
}

func isWeb(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" }

// sameOrigin compares scheme, host and port.
func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && portOf(a) == portOf(b)
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}
