package azure

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

func (f *folder) hint(r request, kind lifecycle.Kind, err error) string {
	switch kind {
	case lifecycle.NotFound:
		return f.absentHint(err)
	case lifecycle.MissingFile:
		return "it was there when the folder was listed: upload it again, or start again"
	case lifecycle.AccessDenied:
		return f.deniedHint(r)
	case lifecycle.Unauthenticated:
		return f.loginHint(err)
	case lifecycle.Corrupt:
		return "it changed since it was listed: start again when the upload is done"
	case lifecycle.Throttled:
		return "the service asks to slow down: try again later"
	case lifecycle.Invalid:
		if codeOf(err) == "BlobArchived" || codeOf(err) == "BlobBeingRehydrated" {
			return "the blob lies in the archive tier: move it to hot, cool or cold, and wait until that is done"
		}
		return form
	default:
		return f.unreachedHint(err)
	}
}

func (f *folder) absentHint(err error) string {
	if f.noAccount(err) {
		return fmt.Sprintf("no account has the name %s: check it; %s", f.loc.account, form)
	}
	hint := fmt.Sprintf("check the name of the container in the account %s%s; %s", f.loc.account, f.place(), form)
	if f.set.anonymous() {
		hint = "a container that is not public looks the same to whoever has no credentials; " + hint
	}
	return hint
}

func (f *folder) unreachedHint(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "let SSL_CERT_FILE name a file with the authority of the server's certificate"
	}
	return "check the network" + f.place()
}

// place reminds of what is easily forgotten: which server is meant.
func (f *folder) place() string {
	if f.set.custom {
		return " and the endpoint " + f.set.endpoint.String()
	}
	return ""
}

func (f *folder) deniedHint(r request) string {
	switch {
	case f.set.anonymous():
		return "the container is not public: allow anonymous access to it, or give credentials"
	case f.set.sas != nil:
		return fmt.Sprintf("make a SAS that has the permissions r and l on the container %s (%q is missing here) for %s",
			f.loc.container, r.right, f.set.from)
	case f.set.key != nil:
		return "the account lets nobody in by key, or not from this network: check its firewall, or leave out " + f.set.from
	default:
		from := ""
		if name := f.login.seen(); name != "" {
			from = ", which came from " + name
		}
		return fmt.Sprintf("grant the role Storage Blob Data Reader on the container %s (it has "+
			"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read) to the owner of the credentials%s",
			f.loc.container, from)
	}
}

func (f *folder) loginHint(err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.hint()
	}
	switch {
	case f.set.sas != nil:
		return "the SAS is expired, not valid yet, or for something else: make a new one for " + f.set.from +
			"; tried in this order: " + strings.Join(f.set.tried, ", ")
	case f.set.key != nil:
		return fmt.Sprintf("the key does not belong to the account %s: check %s; tried in this order: %s",
			f.loc.account, f.set.from, strings.Join(f.set.tried, ", "))
	default:
		return "the account does not accept the token from " + f.login.seen() + ": check its tenant"
	}
}
