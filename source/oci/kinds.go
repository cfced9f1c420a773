package oci

import (
	"crypto/tls"
	"errors"
	"net/http"

	"github.com/spinup-llm/spinup/lifecycle"
	"oras.land/oras-go/v2/registry/remote/auth"
)

func kindOf(r request, err error) lifecycle.Kind {
	if _, ok := errors.AsType[*credentialsError](err); ok || errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return lifecycle.Unauthenticated
	}
	if _, ok := errors.AsType[*changed](err); ok {
		return lifecycle.Corrupt
	}
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized:
		return lifecycle.Unauthenticated
	case status == http.StatusForbidden:
		return lifecycle.AccessDenied
	case status == http.StatusNotFound && r.bytes:
		return lifecycle.MissingFile
	case status == http.StatusNotFound:
		return lifecycle.NotFound
	case status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case status == http.StatusTooManyRequests:
		return lifecycle.Throttled
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return lifecycle.Invalid
	default: // a server's failure, the network, or an answer that is not a registry's
		return lifecycle.Unavailable
	}
}

func (a *artifact) hint(kind lifecycle.Kind, err error) string {
	tried, found := a.login.seen()
	switch kind {
	case lifecycle.NotFound:
		return form
	case lifecycle.MissingFile:
		return "it was there when the artifact was resolved: push it again, or start again"
	case lifecycle.Corrupt:
		return "it changed since it was resolved: start again, or pin the digest"
	case lifecycle.AccessDenied:
		return "grant pull on " + a.ref.Repository + " in " + a.ref.Registry + " to the owner of the credentials; looked in this order: " + tried
	case lifecycle.Unauthenticated:
		if found {
			return "the registry does not accept these credentials: log in to " + a.ref.Registry + " once more; looked in this order: " + tried
		}
		return "log in to " + a.ref.Registry + ", or set DOCKER_AUTH_CONFIG in env_vars; many registries say the same of a repository " +
			"that does not exist; looked in this order: " + tried
	case lifecycle.Throttled:
		return "the registry asks to slow down: try again later, or log in, which raises the limit of many"
	case lifecycle.Invalid:
		return form
	default:
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return "let SSL_CERT_FILE name a file with the authority of the registry's certificate"
		}
		if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
			return "the registry speaks plain HTTP: name it in Options.PlainHTTP"
		}
		return "check the network and the name of the registry " + a.ref.Registry
	}
}
