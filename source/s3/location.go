package s3

import (
	"regexp"

	"github.com/spinup-llm/spinup/source/internal/bucketuri"
)

const form = "an S3 URI has the form s3://BUCKET/PREFIX"

// A location is what a URI says.
type location = bucketuri.Location

// rules allow more names than today's (3 to 63 lower-case letters, digits, dots and hyphens):
// older buckets have capitals and underscores.
var rules = bucketuri.Rules{
	Scheme: "s3", Form: form, Bucket: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$`), Server: "AWS_ENDPOINT_URL",
	Secrets: "keys", Instead: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; s3://anonymous@BUCKET/PREFIX means no keys",
}
