package s3

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/lifecycle"
)

func (b *bucket) hint(r request, kind lifecycle.Kind, err error) string {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch kind {
	case lifecycle.NotFound:
		return "check the name of the bucket" + b.place() + "; " + form
	case lifecycle.MissingFile:
		return "it was there when the folder was listed: upload it again, or start again"
	case lifecycle.AccessDenied:
		return b.deniedHint(r)
	case lifecycle.Unauthenticated:
		return b.keyHint(code, err)
	case lifecycle.WrongRegion:
		return "set AWS_REGION to the region of the bucket" + suffix(" (", regionOf(err), ")")
	case lifecycle.Corrupt:
		return "it changed since it was listed: start again when the upload is done"
	case lifecycle.Throttled:
		return "the service asks to slow down: try again later"
	case lifecycle.Invalid:
		if code == "InvalidObjectState" {
			return "the object is archived: restore it first"
		}
		return form
	default:
		return b.unreachedHint(err)
	}
}

func (b *bucket) unreachedHint(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "let AWS_CA_BUNDLE name a file with the authority of the server's certificate"
	}
	return "check the network" + b.place()
}

func suffix(before, s, after string) string {
	if s == "" {
		return ""
	}
	return before + s + after
}

// place reminds of what is easily forgotten: which server is meant.
func (b *bucket) place() string {
	if b.custom {
		return " and AWS_ENDPOINT_URL"
	}
	return ", and AWS_ENDPOINT_URL if the server is not AWS"
}

func (b *bucket) deniedHint(r request) string {
	if b.loc.Anonymous {
		return fmt.Sprintf("the bucket is not public: allow %s on %s to everybody, or give keys and leave out anonymous@", r.action, r.resource)
	}
	return fmt.Sprintf("allow %s on %s to the owner of the credentials%s", r.action, r.resource, suffix(", which came from ", b.from(), ""))
}

func (b *bucket) keyHint(code string, err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.hint()
	}
	from := suffix("; credentials were tried in this order: ", b.tried(), "")
	switch code {
	case "RequestTimeTooSkewed", "RequestExpired":
		return "set the clock of this machine" + from
	case "ExpiredToken", "TokenRefreshRequired":
		return "the session has expired: get a new AWS_SESSION_TOKEN with its keys" + from
	case "SignatureDoesNotMatch":
		return "the secret key does not belong to the key id: check AWS_SECRET_ACCESS_KEY" + from
	default:
		return "the service does not know these keys: check them" + b.place() + from
	}
}

// tried says which places were tried up to the one whose credentials are in use.
func (b *bucket) tried() string {
	if b.creds == nil || b.creds.used.Load() == nil {
		return ""
	}
	return strings.Join(b.creds.used.Load().tried, ", ")
}

// from says where the credentials in use came from.
func (b *bucket) from() string {
	if b.creds == nil || b.creds.used.Load() == nil {
		return ""
	}
	return b.creds.used.Load().name
}
