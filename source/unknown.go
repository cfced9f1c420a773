package source

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// schemeHints say what to do about a scheme that is known but not registered.
var schemeHints = map[string]string{
	"file":  `import "github.com/spinup-llm/spinup/source/local" and call mux.Handle("file", local.Opener())`,
	"s3":    `import "github.com/spinup-llm/spinup/source/s3" and call mux.Handle("s3", s3.Opener(nil))`,
	"hf":    `import "github.com/spinup-llm/spinup/source/hub" and call mux.Handle("hf", hub.Opener(nil))`,
	"gs":    `import "github.com/spinup-llm/spinup/source/gcs" and call mux.Handle("gs", gcs.Opener(nil))`,
	"abfss": azureHint,
	"azure": azureHint,
	"az":    azureHint,
	"oci":   `import "github.com/spinup-llm/spinup/source/oci" (a module of its own) and call mux.Handle("oci", oci.Opener(nil))`,
	"http":  httpHint,
	"https": httpHint,
}

const (
	azureHint = `import "github.com/spinup-llm/spinup/source/azure" (a module of its own) and call mux.Handle(scheme, azure.Opener()) for each of azure.Schemes`
	httpHint  = `import "github.com/spinup-llm/spinup/source/web" and call mux.Handle("http", web.Opener(nil)), and the same for "https"`
)

func (m *Mux) unknown(scheme, uri string) error {
	e := &lifecycle.Error{
		Op: "source.Open", Kind: lifecycle.Invalid, Target: Redact(uri),
		Err: fmt.Errorf("no driver is registered for %q", scheme+"://"), Hint: schemeHints[scheme],
	}
	if !strings.Contains(uri, "://") && scheme == "hf" {
		e.Err = fmt.Errorf("there is no directory %q here, and as a hub id it cannot be opened", uri)
	}
	if e.Hint == "" {
		known := slices.Sorted(maps.Keys(m.openers))
		e.Hint = fmt.Sprintf("known schemes are %s; register others with mux.Handle(%q, …)", strings.Join(known, ", "), scheme)
	}
	return e
}
