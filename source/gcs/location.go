package gcs

import (
	"regexp"

	"github.com/spinup-llm/spinup/source/internal/bucketuri"
)

const form = "a URI of Google Cloud Storage has the form gs://BUCKET/PREFIX"

// A location is what a URI says.
type location = bucketuri.Location

// rules: with dots a name may be longer than 63 characters.
var rules = bucketuri.Rules{
	Scheme: "gs", Form: form, Bucket: regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`), Server: "STORAGE_EMULATOR_HOST",
	Secrets: "credentials", Instead: "let GOOGLE_APPLICATION_CREDENTIALS name their file; gs://anonymous@BUCKET/PREFIX means none",
}
