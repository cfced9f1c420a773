package gcs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

func (b *bucket) hint(r request, kind lifecycle.Kind, err error) string {
	switch kind {
	case lifecycle.NotFound:
		return "check the name of the bucket" + b.place() + "; " + form
	case lifecycle.MissingFile:
		return "it was there when the folder was listed: upload it again, or start again"
	case lifecycle.AccessDenied:
		return b.deniedHint(r)
	case lifecycle.Unauthenticated:
		return b.tokenHint(err)
	case lifecycle.Corrupt:
		return "it changed since it was listed: start again when the upload is done"
	case lifecycle.Throttled:
		return "the service asks to slow down: try again later"
	case lifecycle.Invalid:
		if wantsPayer(err) {
			return "set GOOGLE_CLOUD_QUOTA_PROJECT to the project that pays"
		}
		return form
	default:
		return b.unreachedHint(err)
	}
}

func (b *bucket) unreachedHint(err error) string {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "let SSL_CERT_FILE name a file with the authority of the server's certificate"
	}
	return "check the network" + b.place()
}

// place reminds of what is easily forgotten: which server is meant.
func (b *bucket) place() string {
	if b.set.emulator {
		return " and STORAGE_EMULATOR_HOST"
	}
	return ""
}

func (b *bucket) deniedHint(r request) string {
	if b.creds == nil {
		return fmt.Sprintf("the bucket is not public: grant %s on %s to allUsers, or give credentials and leave out anonymous@",
			r.permission, r.resource)
	}
	from := ""
	if f := b.creds.seen(); f != nil {
		from = ", which came from " + f.name
	}
	return fmt.Sprintf("grant %s on %s (the role %s has it) to the owner of the credentials%s",
		r.permission, r.resource, r.role, from)
}

func (b *bucket) tokenHint(err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.hint()
	}
	hint := "the service does not accept these credentials: make new ones"
	if f := b.creds.seen(); f != nil {
		hint += "; they were looked for in this order: " + strings.Join(f.tried, ", ")
	}
	return hint
}
