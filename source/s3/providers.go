package s3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spinup-llm/spinup/source/internal/transport"
)

const notSet = "not set"

// failing is for a place that is configured wrongly.
func failing(err error) func(context.Context) (aws.Credentials, error) {
	return func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, err }
}

func (s *settings) keys() step {
	st := step{name: "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY", absent: notSet}
	id, secret := s.env("AWS_ACCESS_KEY_ID"), s.env("AWS_SECRET_ACCESS_KEY")
	switch {
	case id != "" && secret != "":
		st.retrieve = credentials.NewStaticCredentialsProvider(id, secret, s.env("AWS_SESSION_TOKEN")).Retrieve
	case id != "" || secret != "":
		st.retrieve = failing(errors.New("one of them is not set"))
	}
	return st
}

func (s *settings) webIdentity(client *http.Client) step {
	st := step{name: "AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN", absent: notSet}
	file, role := s.env("AWS_WEB_IDENTITY_TOKEN_FILE"), s.env("AWS_ROLE_ARN")
	if file == "" {
		return st
	}
	endpoint, err := s.endpointOf("STS")
	if role == "" {
		err = errors.New("AWS_ROLE_ARN is not set")
	}
	if err != nil {
		st.retrieve = failing(err)
		return st
	}
	o := sts.Options{Region: s.region, HTTPClient: client}
	if endpoint != "" {
		o.BaseEndpoint = &endpoint
	}
	st.retrieve = stscreds.NewWebIdentityRoleProvider(sts.New(o), role, stscreds.IdentityTokenFile(file),
		func(o *stscreds.WebIdentityRoleOptions) {
			o.RoleSessionName = cmp.Or(s.env("AWS_ROLE_SESSION_NAME"), "spinup")
		}).Retrieve
	return st
}

func (s *settings) fromProfile(ctx context.Context) step {
	files := strings.Join(append(append([]string{}, s.keyFiles...), s.configFiles...), " and ")
	st := step{name: fmt.Sprintf("profile %q of %s", s.profileName, cmp.Or(files, "~/.aws")), absent: "none"}
	p := s.profile
	indirect := p.RoleARN + p.CredentialSource + p.CredentialProcess + p.WebIdentityTokenFile + p.SSOSessionName +
		p.SSOStartURL + p.LoginSession
	switch {
	case s.profileErr != nil:
		st.retrieve = failing(s.profileErr)
	case indirect != "":
		st.retrieve = s.indirect(ctx)
	case p.Credentials.HasKeys():
		st.retrieve = s.written
	}
	return st
}

// written reads the profile's keys anew: something may have replaced those that expired.
func (s *settings) written(ctx context.Context) (aws.Credentials, error) {
	s.loadProfile(ctx)
	if s.profileErr != nil {
		return aws.Credentials{}, s.profileErr
	}
	return credentials.StaticCredentialsProvider{Value: s.profile.Credentials}.Retrieve(ctx)
}

// indirect leaves to the SDK what a profile only refers to: roles, SSO, programs. With a
// profile named, the SDK does not look at the process's keys.
func (s *settings) indirect(ctx context.Context) func(context.Context) (aws.Credentials, error) {
	opts := []func(*config.LoadOptions) error{
		config.WithSharedConfigProfile(s.profileName),
		config.WithSharedConfigFiles(s.configFiles),
		config.WithSharedCredentialsFiles(s.keyFiles),
		config.WithRegion(s.region),
	}
	if endpoint := s.env("AWS_ENDPOINT_URL_STS"); endpoint != "" {
		opts = append(opts, config.WithBaseEndpoint(endpoint))
	}
	opts = append(opts, config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(
		func(t *http.Transport) { t.Proxy = proxyOf(s.env) })))
	if bundle := s.env("AWS_CA_BUNDLE"); bundle != "" {
		pem, err := os.Open(bundle) //nolint:gosec // the operator names it
		if err != nil {
			return failing(err)
		}
		defer func() { _ = pem.Close() }()
		opts = append(opts, config.WithCustomCABundle(pem))
	}
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return failing(err)
	}
	return cfg.Credentials.Retrieve
}

func (s *settings) container(client *http.Client) step {
	st := step{name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI", absent: notSet}
	uri := s.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if relative := s.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); relative != "" {
		uri = "http://169.254.170.2" + relative
	}
	if uri == "" {
		return st
	}
	if err := trusted(uri); err != nil {
		st.retrieve = failing(err)
		return st
	}
	st.retrieve = endpointcreds.New(uri, func(o *endpointcreds.Options) {
		o.HTTPClient = client
		o.AuthorizationToken = s.env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := s.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(file) //nolint:gosec // the operator names it
				return string(token), err
			})
		}
	}).Retrieve
	return st
}

// trusted refuses to send a token in clear to any but this machine and the addresses that
// AWS gives to containers.
func trusted(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL")
	}
	if u.Scheme == "https" {
		return nil
	}
	host := u.Hostname()
	if ip, err := netip.ParseAddr(host); host == "localhost" || (err == nil && ip.IsLoopback()) {
		return nil
	}
	for _, known := range []string{"169.254.170.2", "169.254.170.23", "fd00:ec2::23"} {
		if net.ParseIP(host).Equal(net.ParseIP(known)) {
			return nil
		}
	}
	return fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI goes in clear to %s: it has to be https, or this machine", host)
}

func (s *settings) instance() step {
	endpoint := s.env("AWS_EC2_METADATA_SERVICE_ENDPOINT")
	st := step{name: "the role of the EC2 instance", optional: true, expected: endpoint != ""}
	if s.isTrue("AWS_EC2_METADATA_DISABLED") {
		st.absent = "AWS_EC2_METADATA_DISABLED"
		return st
	}
	st.retrieve = ec2rolecreds.New(func(o *ec2rolecreds.Options) {
		at := imds.Options{
			ClientEnableState: imds.ClientEnabled, // or it asks the process's environment
			Endpoint:          cmp.Or(endpoint, "http://169.254.169.254"),
		}
		if endpoint != "" {
			direct := transport.New(nil) // the SDK's own gives up within half a second, which is for where nobody answers
			direct.Proxy = nil           // the service is beside this machine
			at.HTTPClient = &http.Client{Transport: direct}
		}
		o.Client = imds.New(at)
	}).Retrieve
	return st
}
