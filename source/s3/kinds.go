package s3

import (
	"errors"
	"net/http"

	"github.com/aws/smithy-go"
	"github.com/spinup-llm/spinup/lifecycle"
)

// kinds are the codes of S3, and of those that speak like it.
var kinds = map[string]lifecycle.Kind{
	"NoSuchBucket": lifecycle.NotFound,
	"NoSuchKey":    lifecycle.MissingFile,
	"NotFound":     lifecycle.MissingFile, // a HEAD has no other code

	"AccessDenied":      lifecycle.AccessDenied,
	"AllAccessDisabled": lifecycle.AccessDenied,
	"AccountProblem":    lifecycle.AccessDenied,
	"Forbidden":         lifecycle.AccessDenied,

	"InvalidAccessKeyId":    lifecycle.Unauthenticated,
	"SignatureDoesNotMatch": lifecycle.Unauthenticated,
	"ExpiredToken":          lifecycle.Unauthenticated,
	"InvalidToken":          lifecycle.Unauthenticated,
	"TokenRefreshRequired":  lifecycle.Unauthenticated,
	"RequestTimeTooSkewed":  lifecycle.Unauthenticated,
	"RequestExpired":        lifecycle.Unauthenticated,
	"NotSignedUp":           lifecycle.Unauthenticated,
	"XAdminUserNotFound":    lifecycle.Unauthenticated, // versitygw's InvalidAccessKeyId

	"PermanentRedirect":            lifecycle.WrongRegion,
	"TemporaryRedirect":            lifecycle.WrongRegion,
	"Redirect":                     lifecycle.WrongRegion,
	"AuthorizationHeaderMalformed": lifecycle.WrongRegion,

	"PreconditionFailed": lifecycle.Corrupt,
	"InvalidRange":       lifecycle.Corrupt,

	"SlowDown":             lifecycle.Throttled,
	"ServiceUnavailable":   lifecycle.Throttled,
	"Throttling":           lifecycle.Throttled,
	"ThrottlingException":  lifecycle.Throttled,
	"RequestLimitExceeded": lifecycle.Throttled,
	"TooManyRequests":      lifecycle.Throttled,
	"Busy":                 lifecycle.Throttled,

	"InternalError":    lifecycle.Unavailable,
	"RequestTimeout":   lifecycle.Unavailable,
	"OperationAborted": lifecycle.Unavailable,

	"InvalidBucketName":  lifecycle.Invalid,
	"InvalidObjectState": lifecycle.Invalid, // archived
}

func kindOf(err error) lifecycle.Kind {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.kind()
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		if kind, known := kinds[api.ErrorCode()]; known {
			return kind
		}
	}
	switch status := statusOf(err); {
	case status == http.StatusUnauthorized:
		return lifecycle.Unauthenticated
	case status == http.StatusForbidden:
		return lifecycle.AccessDenied
	case status == http.StatusNotFound:
		return lifecycle.NotFound
	case status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		return lifecycle.WrongRegion
	case status == http.StatusPreconditionFailed, status == http.StatusRequestedRangeNotSatisfiable:
		return lifecycle.Corrupt
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return lifecycle.Throttled
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		return lifecycle.Invalid
	default: // a server's failure, the network, or an answer that is not S3's
		return lifecycle.Unavailable
	}
}
