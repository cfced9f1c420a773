package s3

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

func (b *bucket) hint(r request, kind lifecycle.Kind, err error) string {
	code := ""
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		code = api.ErrorCode()
	}
	switch kind {
	case lifecycle.NotFound:
		return form + "; check the name of the bucket" + b.place()
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
		return "check the network" + b.place()
	}
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
	if b.loc.anonymous {
		return fmt.Sprintf("the bucket is not public: allow %s on %s to everybody, or give keys and leave out anonymous@", r.action, r.resource)
	}
	return fmt.Sprintf("allow %s on %s to the owner of the credentials%s", r.action, r.resource, suffix(", which came from ", b.from(), ""))
}

func (b *bucket) keyHint(code string, err error) string {
	if own, ok := errors.AsType[*credentialsError](err); ok {
		return own.hint()
	}
	from := suffix("; the credentials came from ", b.from(), "")
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

// from says where the credentials in use came from, after those that were tried in vain.
func (b *bucket) from() string {
	if b.creds == nil || b.creds.used.Load() == nil {
		return ""
	}
	return b.creds.used.Load().name
}

// nothing is the error for a folder without files. It names what is nearest.
func (b *bucket) nothing(ctx context.Context) error {
	e := &lifecycle.Error{Op: opResolve, Kind: lifecycle.NotFound, Target: b.loc.String(), Hint: form}
	e.Err = errors.New("no object lies under that prefix")
	if b.loc.prefix == "" {
		e.Err = errors.New("the bucket is empty")
	}
	for dir := b.loc.prefix; dir != ""; {
		word := path.Base(dir)
		if dir = path.Dir(dir); dir == "." {
			dir = ""
		}
		if names := b.children(ctx, dir); len(names) > 0 {
			e.Hint = "in " + b.loc.at(dir) + " " + nearest.Hint(word, names) + "; " + form
			break
		}
	}
	return e
}

// children returns the names in a folder, as many as one page has; none on any error.
func (b *bucket) children(ctx context.Context, dir string) []string {
	prefix := location{prefix: dir}.under()
	page, err := call(ctx, b, once, &s3.ListObjectsV2Input{
		Bucket: &b.loc.bucket, Prefix: &prefix, Delimiter: aws.String("/"), EncodingType: types.EncodingTypeUrl,
	}, b.client.ListObjectsV2)
	if err != nil {
		return nil
	}
	var names []string
	add := func(key *string) {
		name := strings.TrimPrefix(decoded(aws.ToString(key), page.EncodingType), prefix)
		if name = strings.TrimSuffix(name, "/"); name != "" {
			names = append(names, name)
		}
	}
	for _, p := range page.CommonPrefixes {
		add(p.Prefix)
	}
	for _, o := range page.Contents {
		add(o.Key)
	}
	return names
}
