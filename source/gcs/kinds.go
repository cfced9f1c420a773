package gcs

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"cloud.google.com/go/auth"
	"github.com/spinup-llm/spinup/lifecycle"
	"google.golang.org/api/googleapi"
)

// throttles are the reasons of a 403 that is no refusal.
var throttles = map[string]bool{
	"rateLimitExceeded": true, "userRateLimitExceeded": true, "quotaExceeded": true, "dailyLimitExceeded": true,
}

func (b *bucket) kindOf(r request, err error) lifecycle.Kind {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.kind()
	}
	if _, ok := errors.AsType[*changed](err); ok {
		return lifecycle.Corrupt
	}
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized && b.creds != nil:
		return lifecycle.Unauthenticated
	case status == http.StatusUnauthorized:
		return lifecycle.AccessDenied // so the API answers whoever shows no token
	case status == http.StatusForbidden && throttles[reasonOf(err)], status == http.StatusTooManyRequests:
		return lifecycle.Throttled
	case status == http.StatusForbidden:
		return lifecycle.AccessDenied
	case status == http.StatusNotFound && r.bytes:
		return lifecycle.MissingFile
	case status == http.StatusNotFound:
		return lifecycle.NotFound
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return lifecycle.Invalid
	default: // a server's failure, the network, or an answer that is not Google's
		return lifecycle.Unavailable
	}
}

// kind tells credentials that are wrong from a service of tokens that does not answer.
func (e *credentialsError) kind() lifecycle.Kind {
	status := 0
	if refused, ok := errors.AsType[*auth.Error](e.err); ok && refused.Response != nil {
		status = refused.Response.StatusCode
	} else if refused, ok := errors.AsType[*metadataError](e.err); ok {
		status = refused.status
	}
	if _, sent := errors.AsType[*url.Error](e.err); sent || status >= 500 || status == http.StatusTooManyRequests {
		return lifecycle.Unavailable
	}
	return lifecycle.Unauthenticated
}

// wantsPayer reports whether the bucket's requester has to pay and nobody was named.
func wantsPayer(err error) bool {
	api, ok := errors.AsType[*googleapi.Error](err)
	return ok && api.Code == http.StatusBadRequest && strings.Contains(strings.ToLower(api.Message), "requester pays")
}
