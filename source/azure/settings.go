package azure

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

var errBadKey = errors.New("the key of the account is not base64")

// settings are what the environment says. Secrets stay behind functions, where no
// formatting finds them.
type settings struct {
	env      func(string) string
	endpoint *url.URL // of the account
	custom   bool     // the endpoint is not the account's own
	from     string   // where the credentials come from
	tried    []string // the places before, and it

	key    func() (*service.SharedKeyCredential, error) // nil without
	sas    func() string                                // a query without "?"; nil without
	tokens bool
}

// load reads the environment, and adds the account to loc where the URI names none.
func load(loc *location, o *source.OpenOptions) (settings, error) {
	s := settings{env: o.Env}
	named := cmp.Or(s.env("AZURE_STORAGE_ACCOUNT_NAME"), s.env("AZURE_STORAGE_ACCOUNT"))
	conn, err := parseConnection(s.env("AZURE_STORAGE_CONNECTION_STRING"))
	if err != nil {
		return s, invalid(*loc, err, "copy AZURE_STORAGE_CONNECTION_STRING once more")
	}
	loc.account = cmp.Or(loc.account, named, conn.account)
	if !accountName.MatchString(loc.account) {
		return s, invalid(*loc, errors.New("no account is named"), "set AZURE_STORAGE_ACCOUNT_NAME, or write "+
			"abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX")
	}
	if loc.host == "" && conn.suffix != "" {
		loc.cloud = conn.suffix
	}
	if err := s.choose(*loc, named, conn); err != nil {
		return s, err
	}
	return s, s.place(*loc, conn)
}

// choose takes the first credentials that there are.
func (s *settings) choose(loc location, named string, conn connection) error {
	key, sas := cmp.Or(s.env("AZURE_STORAGE_ACCOUNT_KEY"), s.env("AZURE_STORAGE_KEY")), s.env("AZURE_STORAGE_SAS_TOKEN")
	of := cmp.Or(named, loc.account) // whose they are
	switch {
	case loc.anonymous || strings.EqualFold(s.env("AZURE_STORAGE_ANON"), "true"):
		return nil
	case conn.set:
		s.use("AZURE_STORAGE_CONNECTION_STRING")
		key, sas, of = conn.key, conn.sas, cmp.Or(conn.account, loc.account)
	case key != "":
		s.use("AZURE_STORAGE_ACCOUNT_KEY")
		sas = ""
	case sas != "":
		s.use("AZURE_STORAGE_SAS_TOKEN")
	default:
		s.tokens = true
		return nil
	}
	if of != loc.account {
		return invalid(loc, fmt.Errorf("%s is for the account %s", s.from, of),
			"give the credentials of the account "+loc.account+", or leave them out")
	}
	if key != "" {
		s.key = func() (*service.SharedKeyCredential, error) { return service.NewSharedKeyCredential(of, key) }
		return nil
	}
	sas = strings.TrimPrefix(strings.TrimSpace(sas), "?")
	if q, err := url.ParseQuery(sas); sas != "" && (err != nil || !q.Has("sig")) {
		return invalid(loc, errors.New("the SAS has no signature"), "copy it whole, from sv= to the end of sig=, into "+s.from)
	}
	if sas != "" {
		s.sas = func() string { return sas }
	}
	return nil
}

// use notes where the credentials come from, and which places were empty before.
func (s *settings) use(place string) {
	for _, p := range []string{"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN"} {
		if p == place {
			s.from, s.tried = place, append(s.tried, p+" (used)")
			return
		}
		s.tried = append(s.tried, p+" (not set)")
	}
}

// place finds where the account is.
func (s *settings) place(loc location, conn connection) error {
	at := cmp.Or(s.env("AZURE_STORAGE_ENDPOINT"), conn.endpoint)
	if s.custom = at != ""; !s.custom {
		at = "https://" + loc.blobs()
	}
	u, err := url.Parse(strings.TrimRight(at, "/"))
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return invalid(loc, errors.New("the endpoint "+source.Redact(at)+" is no address of an account"),
			"set AZURE_STORAGE_ENDPOINT to http://HOST:PORT/ACCOUNT or https://HOST")
	}
	if s.tokens && u.Scheme == "http" {
		return invalid(loc, errors.New("tokens are not sent over http"),
			"set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN, or AZURE_STORAGE_ANON=true for a public container")
	}
	s.endpoint = u
	return nil
}

func (s *settings) anonymous() bool { return s.key == nil && s.sas == nil && !s.tokens }

func invalid(loc location, err error, hint string) error {
	return &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(), Err: err, Hint: hint}
}
