package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// defaultRegion is where a request goes that knows no better; the answer tells the
// bucket's own.
const defaultRegion = "us-east-1"

var regionName = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}$`)

// settings are what the environment and the profile say.
type settings struct {
	env       func(string) string
	region    string
	endpoint  string // "" means AWS
	fips      aws.FIPSEndpointState
	dualStack aws.DualStackEndpointState
	pathStyle bool
	payer     types.RequestPayer

	profile     config.SharedConfig
	profileName string
	profileErr  error // the profile that was asked for cannot be read
	configFiles []string
	keyFiles    []string
}

func load(ctx context.Context, loc location, o *source.OpenOptions) (settings, error) {
	s := settings{env: o.Env}
	s.loadProfile(ctx)
	s.region = cmp.Or(s.env("AWS_REGION"), s.env("AWS_DEFAULT_REGION"), s.profile.Region, defaultRegion)
	if !regionName.MatchString(s.region) {
		return s, invalid(loc, fmt.Errorf("%q is no region", s.region), "set AWS_REGION to one such as us-east-1")
	}
	if s.isTrue("AWS_USE_FIPS_ENDPOINT") {
		s.fips = aws.FIPSEndpointStateEnabled
	}
	if s.isTrue("AWS_USE_DUALSTACK_ENDPOINT") {
		s.dualStack = aws.DualStackEndpointStateEnabled
	}
	var err error
	if s.endpoint, err = s.endpointOf("S3"); err != nil {
		return s, invalid(loc, err, "set AWS_ENDPOINT_URL to http://HOST:PORT or https://HOST")
	}
	return s, nil
}

func (s *settings) isTrue(key string) bool { return strings.EqualFold(s.env(key), "true") }

// loadProfile reads the files that hold profiles. Not to have any is no error.
func (s *settings) loadProfile(ctx context.Context) {
	asked := cmp.Or(s.env("AWS_PROFILE"), s.env("AWS_DEFAULT_PROFILE"))
	s.profileName = cmp.Or(asked, config.DefaultSharedConfigProfile)
	s.keyFiles = s.file("AWS_SHARED_CREDENTIALS_FILE", "credentials")
	s.configFiles = s.file("AWS_CONFIG_FILE", "config")
	profile, err := config.LoadSharedConfigProfile(ctx, s.profileName, func(o *config.LoadSharedConfigOptions) {
		o.ConfigFiles, o.CredentialsFiles = s.configFiles, s.keyFiles
	})
	if err == nil {
		s.profile = profile
	} else if _, absent := errors.AsType[config.SharedConfigProfileNotExistError](err); asked != "" || !absent {
		s.profileErr = err
	}
}

func (s *settings) file(key, name string) []string {
	if path := s.env(key); path != "" {
		return []string{path}
	}
	if home := cmp.Or(s.env("HOME"), s.env("USERPROFILE")); home != "" {
		return []string{filepath.Join(home, ".aws", name)}
	}
	return []string{} // nil would mean the process's own
}

// endpointOf returns the endpoint that is configured for a service ("S3", "STS"), or "".
func (s *settings) endpointOf(service string) (string, error) {
	if s.isTrue("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
		return "", nil
	}
	named := s.profile.Services.ServiceValues[strings.ToLower(service)]["endpoint_url"]
	endpoint := cmp.Or(s.env("AWS_ENDPOINT_URL_"+service), s.env("AWS_ENDPOINT_URL"), named, s.profile.BaseEndpoint)
	if endpoint == "" {
		return "", nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return "", fmt.Errorf("the endpoint %s is no URL of a server", source.Redact(endpoint))
	}
	return strings.TrimSuffix(endpoint, "/"), nil
}

func invalid(loc location, err error, hint string) error {
	return &lifecycle.Error{Op: "source.Open", Kind: lifecycle.Invalid, Target: loc.String(), Err: err, Hint: hint}
}
