package azure

import (
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// rejected are the codes of a 401 or 403 that is about who asks, not about what they may.
var rejected = map[string]bool{
	"AuthenticationFailed": true, "InvalidAuthenticationInfo": true, "AccountIsDisabled": true,
}

// isRejected knows a rejection also by its words: emulators use another code.
func isRejected(err error) bool {
	return rejected[codeOf(err)] || strings.Contains(plain(err), "failed to authenticate")
}

func (f *folder) kindOf(r request, err error) lifecycle.Kind {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.kind()
	}
	if f.noAccount(err) {
		return lifecycle.NotFound
	}
	code := codeOf(err)
	switch status := statusOf(err); {
	case status == http.StatusTooManyRequests, code == "ServerBusy":
		return lifecycle.Throttled
	case code == "PublicAccessNotPermitted":
		return lifecycle.AccessDenied
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if !f.set.anonymous() && (status == http.StatusUnauthorized || isRejected(err)) {
			return lifecycle.Unauthenticated
		}
		return lifecycle.AccessDenied
	case status == http.StatusNotFound && r.bytes && code != "ContainerNotFound":
		return lifecycle.MissingFile
	case status == http.StatusNotFound:
		return lifecycle.NotFound
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return lifecycle.Invalid
	default: // a server's failure, the network, or an answer that is not Azure's
		return lifecycle.Unavailable
	}
}

// noAccount reports whether the account's name is unknown: each account is a host.
func (f *folder) noAccount(err error) bool {
	unknown, ok := errors.AsType[*net.DNSError](err)
	return ok && unknown.IsNotFound && !f.set.custom
}
