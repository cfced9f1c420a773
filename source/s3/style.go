package s3

import (
	"net/url"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// byHost are the services that know buckets by host alone, or better so.
var byHost = []string{
	"amazonaws.com", "amazonaws.com.cn", "aliyuncs.com", "myqcloud.com", "volces.com", "cwobject.com", "cwlota.com",
}

// choose settles how the bucket is addressed and who pays. Of the address the environment
// knows most: the variable is the one that vLLM's streamer reads.
func (s *settings) choose(loc location, o *Options) {
	switch said := s.env("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"); {
	case said != "":
		s.pathStyle = said == "0" || strings.EqualFold(said, "false")
	case o.PathStyle != nil:
		s.pathStyle = *o.PathStyle
	default:
		s.pathStyle = needsPath(loc.bucket, s.endpoint)
	}
	if o.RequesterPays || strings.EqualFold(s.env("AWS_REQUEST_PAYER"), "requester") {
		s.payer = types.RequestPayerRequester
	}
}

// needsPath reports whether the bucket stands in the path instead of the host: servers of
// one's own seldom have a wildcard name, and a dot breaks the wildcard of a certificate.
func needsPath(bucket, endpoint string) bool {
	if strings.Contains(bucket, ".") {
		return true
	}
	u, err := url.Parse(endpoint)
	if endpoint == "" || err != nil {
		return false
	}
	return !slices.ContainsFunc(byHost, func(domain string) bool { return strings.HasSuffix(u.Hostname(), "."+domain) })
}
