package spinup

import (
	"regexp"
	"strings"
)

// ModelSource is a Hugging Face id, a URI or a path. In YAML it is a string or
// {bucket_uri: …, extra_files: […]}.
type ModelSource struct {
	URI        string      `yaml:"bucket_uri,short"` // a plain string in YAML sets this
	ExtraFiles []ExtraFile `yaml:"extra_files"`
}

// ExtraFile is fetched next to the model: a folder's files into DestinationPath, a single
// object as the file DestinationPath.
type ExtraFile struct {
	BucketURI       string `yaml:"bucket_uri"`
	DestinationPath string `yaml:"destination_path"`
}

// From returns the source at uri: "org/name", "org/name@revision", "https://…", a directory, or what
// [Options].Sources has a driver for, such as "s3://bucket/prefix".
func From(uri string) ModelSource { return ModelSource{URI: uri} }

// The names of the hub: one or two parts, and a revision that may be a branch with slashes.
var hubName = regexp.MustCompile(`^([A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?)(?:@([\w./-]+))?$`)

// Repo splits "org/name@revision", with or without "hf://" before it, into the id and the
// revision, which is "" where none is given. It reports false for other sources. A relative
// path can have the same form: where it exists, it is meant instead.
func (s ModelSource) Repo() (id, revision string, ok bool) {
	m := hubName.FindStringSubmatch(strings.TrimPrefix(s.URI, "hf://"))
	if m == nil {
		return "", "", false
	}
	return m[1], m[2], true
}
