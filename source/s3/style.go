package s3

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spinup-llm/spinup/internal/s3style"
)

// choose settles how the bucket is addressed and who pays. Of the address the environment
// knows most: the variable is the one that vLLM's streamer reads.
func (s *settings) choose(loc location, o *Options) {
	switch said := s.env("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"); {
	case said != "":
		s.pathStyle = said == "0" || strings.EqualFold(said, "false")
	case o.PathStyle != nil:
		s.pathStyle = *o.PathStyle
	default:
		s.pathStyle = s3style.NeedsPath(loc.Bucket, s.endpoint)
	}
	if o.RequesterPays || strings.EqualFold(s.env("AWS_REQUEST_PAYER"), "requester") {
		s.payer = types.RequestPayerRequester
	}
}
