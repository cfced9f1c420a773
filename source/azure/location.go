package azure

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const form = "an Azure URI has the form abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX, or az://CONTAINER/PREFIX with AZURE_STORAGE_ACCOUNT_NAME"

var (
	containerName = regexp.MustCompile(`^(\$root|\$web|\$logs|[a-z0-9](-?[a-z0-9]){2,62})$`)
	accountName   = regexp.MustCompile(`^[a-z0-9]{3,24}$`)
	// hostName is of the clouds of Microsoft alone: tokens and keys go where it says.
	hostName = regexp.MustCompile(`^([a-z0-9]{3,24})\.(?:(z[0-9]{1,3})\.)?(?:dfs|blob)\.` +
		`(core\.windows\.net|core\.usgovcloudapi\.net|core\.chinacloudapi\.cn|storage\.azure\.net)$`)
)

const publicCloud = "core.windows.net"

// A location is what a URI says, and the account that the environment adds.
type location struct {
	scheme    string
	host      string // as written; "" where the URI names no account
	account   string
	zone      string // of the account's DNS, or ""
	cloud     string // "core.windows.net"
	container string
	prefix    string // without slashes at its ends; "" is the whole container
	anonymous bool
	folder    bool // the URI ends in a slash: no blob is meant
}

func parse(u *url.URL) (location, error) {
	l := location{scheme: u.Scheme, cloud: publicCloud, folder: strings.HasSuffix(u.Path, "/")}
	l.prefix = strings.TrimSuffix(strings.TrimPrefix(u.Path, "/"), "/")
	fail := func(reason, hint string) (location, error) {
		return location{}, &lifecycle.Error{
			Op: "source.Open", Kind: lifecycle.Invalid, Target: redacted(u), Err: errors.New(reason), Hint: hint,
		}
	}
	_, password := u.User.Password()
	switch user := u.User.Username(); {
	case password:
		return fail("keys do not belong into a URI", "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN; "+form)
	case user == "" && u.Scheme == "abfss":
		return fail("it names no account", form)
	case user == "", user == "anonymous" && u.Scheme != "abfss" && !strings.Contains(u.Host, "."):
		l.container, l.anonymous = u.Host, user != ""
	default:
		parts := hostName.FindStringSubmatch(u.Host)
		if parts == nil {
			return fail("its host is no account of Azure Storage", form+"; another server goes into AZURE_STORAGE_ENDPOINT")
		}
		l.container, l.host = user, u.Host
		l.account, l.zone, l.cloud = parts[1], parts[2], parts[3]
	}
	switch {
	case l.container == "":
		return fail("it names no container", form)
	case !containerName.MatchString(l.container):
		return fail("that is no name of a container", form)
	case u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "?"):
		return fail("it has a query", form+", without a query; a SAS goes into AZURE_STORAGE_SAS_TOKEN")
	case l.prefix != "" && source.CheckPath(l.prefix) != nil:
		return fail("its prefix is no plain path", form+", without empty or dot segments")
	}
	return l, nil
}

// redacted is u for an error about u: it may hold keys in any place.
func redacted(u *url.URL) string {
	s := u.Scheme + "://"
	if user := u.User.String(); user != "" {
		if !containerName.MatchString(user) {
			user = "[redacted]"
		}
		s += user + "@"
	}
	rest, _, query := strings.Cut(u.Host+u.Path, "?")
	if query || u.RawQuery != "" {
		rest += "?[redacted]"
	}
	return s + rest
}

// String returns the URI as a user writes it.
func (l location) String() string {
	s := l.scheme + "://" + l.container
	switch {
	case l.host != "":
		s += "@" + l.host
	case l.anonymous:
		s = l.scheme + "://anonymous@" + l.container
	}
	return strings.TrimSuffix(s+"/"+l.prefix, "/")
}

// canonical is the same for everybody who reads the same files.
func (l location) canonical() string {
	host := l.account + "."
	if l.zone != "" {
		host += l.zone + "."
	}
	return strings.TrimSuffix("abfss://"+l.container+"@"+host+"dfs."+l.cloud+"/"+l.prefix, "/")
}

// blobs is the host of the account, as the API for blobs has it.
func (l location) blobs() string {
	host := l.account + "."
	if l.zone != "" {
		host += l.zone + "."
	}
	return host + "blob." + l.cloud
}

// at returns the URI of a blob as the user writes it.
func (l location) at(name string) string {
	l.prefix = name
	return l.String()
}

// under is the prefix of the names in the folder.
func (l location) under() string {
	if l.prefix == "" {
		return ""
	}
	return l.prefix + "/"
}

// base is the name of the blob, where a blob is meant.
func (l location) base() string { return path.Base(l.prefix) }
