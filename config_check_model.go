package spinup

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spinup-llm/spinup/source"
)

func (c *checker) model(m *ModelLoadingConfig) {
	const at = "model_loading_config."
	switch {
	case m.ModelID == "":
		c.fail(at+"model_id", "give the name that clients ask for", "a model_id is required")
	case strings.TrimSpace(m.ModelID) != m.ModelID || strings.ContainsFunc(m.ModelID, unicode.IsControl):
		c.fail(at+"model_id", "remove the blanks around it", "the model_id is malformed")
	}
	switch uri := m.ModelSource.URI; {
	case uri != "":
		c.uri(c.sourcePath(at+"model_source"), uri)
	case m.ModelID != "":
		if _, _, ok := From(m.ModelID).Repo(); !ok && !isPath(m.ModelID) {
			c.fail(at+"model_source", "give a model_source: "+uriHint, "without it the model_id is the source, and this one is no id of the hub")
		}
	}
	for i, f := range m.ModelSource.ExtraFiles {
		file := at + "model_source.extra_files" + index(i)
		if f.BucketURI == "" {
			c.fail(file+".bucket_uri", "give the URI of a file or folder", "a bucket_uri is required")
		} else {
			c.uri(file+".bucket_uri", f.BucketURI)
		}
		if f.DestinationPath == "" {
			c.fail(file+".destination_path", "give the path to write to", "a destination_path is required")
		}
	}
}

// sourcePath is where the URI of a source stands: it may be in the place of the source.
func (c *checker) sourcePath(path string) string {
	if full := path + ".bucket_uri"; c.given(full) || !c.given(path) {
		return full
	}
	return path
}

const uriHint = `use "org/name", "org/name@revision", s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, https://HOST/FOLDER/ or a directory`

var (
	uriScheme   = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$`)
	nearScheme  = regexp.MustCompile(`^(?i:(s3|gs|hf|file|abfss|azure|az|oci|https?))(?::/?[^/]|//)`)
	bucketNames = []string{"s3", "gs", "abfss", "azure"}
)

// uri checks the form of a source; whether its scheme is registered is for the Mux. An URI
// in a message is redacted: it may hold a key.
func (c *checker) uri(path, uri string) {
	shown := source.Redact(uri)
	if strings.TrimSpace(uri) != uri || strings.ContainsFunc(uri, unicode.IsControl) {
		c.fail(path, uriHint, "the source has blanks around it, or line breaks")
		return
	}
	m := uriScheme.FindStringSubmatch(uri)
	if m == nil {
		if near := nearScheme.FindStringSubmatch(uri); near != nil {
			c.fail(path, "write "+strings.ToLower(near[1])+"://…", "%q looks like a URI without its two slashes", shown)
		}
		return
	}
	scheme, rest := strings.ToLower(m[1]), m[2]
	host, _, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 && (scheme == "s3" || scheme == "gs") {
		host = host[i+1:]
	}
	switch {
	case slices.Contains(bucketNames, scheme) && host == "":
		c.fail(path, "write "+scheme+"://BUCKET/PREFIX", "%q names no bucket", shown)
	case scheme == "hf":
		if _, _, ok := From(uri).Repo(); !ok {
			c.fail(path, "write hf://org/name or hf://org/name@revision", "%q is no model of the hub", shown)
		}
	case rest == "":
		c.fail(path, uriHint, "%q names nothing", shown)
	}
}

// isPath reports whether s can only be a path of this machine.
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "~") || strings.Count(s, "/") > 1
}

func (c *checker) lora(l *LoraConfig) {
	if l == nil {
		return
	}
	switch path, uri := "lora_config.dynamic_lora_loading_path", l.DynamicLoraLoadingPath; {
	case uri == "":
		c.report.Warn(join(c.path, "lora_config"), "it has no effect without a dynamic_lora_loading_path")
	case strings.HasPrefix(uri, "hf://") && strings.Contains(strings.Trim(uri[len("hf://"):], "/"), "/"):
		c.fail(path, "write hf://ORG: each adapter is a model of it", "%q is a model of the hub, not what has adapters in it", source.Redact(uri))
	default:
		c.uri(path, uri)
	}
	c.count("lora_config.max_num_adapters_per_replica", l.MaxNumAdaptersPerReplica)
	c.count("lora_config.max_download_tries", l.MaxDownloadTries)
	c.notNegative("lora_config.download_timeout_s", l.DownloadTimeout)
}
