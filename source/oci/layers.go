package oci

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/spinup-llm/spinup/source"
)

const pushHint = "push the files as layers of their own: modctl build --raw, or oras push with one argument per file"

// The annotations of ModelPack, and of oras for folders that it packs.
const (
	modelPath  = "org.cncf.model.filepath"
	olderPath  = "org.cnai.model.filepath"
	orasUnpack = "io.deis.oras.content.unpack"
)

// A layerFault is why an artifact cannot be read as files.
type layerFault struct{ text string }

// Error implements error.
func (e *layerFault) Error() string { return e.text }

// filesOf makes files of layers. All that cannot be one is reported, joined.
func filesOf(doc document) ([]source.File, error) {
	var files []source.File
	var errs []error
	for i, l := range doc.Layers {
		name := nameOf(l)
		fault := ""
		switch {
		case name == "":
			fault = "has no name: this is an image of a container, or was pushed without names"
		case isPacked(l):
			fault = "is packed (" + l.MediaType + ")"
		case l.Digest.Validate() != nil:
			fault = "has no digest"
		}
		if fault != "" {
			if len(errs) < 5 {
				errs = append(errs, &layerFault{fmt.Sprintf("layer %d %.200q %s", i, name, fault)})
			}
			continue
		}
		f := source.File{Path: name, Size: l.Size, Version: l.Digest.String()}
		if l.Digest.Algorithm() == "sha256" {
			f.Digest = source.Digest{Algorithm: "sha256", Hex: l.Digest.Encoded()}
		}
		files = append(files, f)
	}
	return files, errors.Join(errs...)
}

func nameOf(l ocispec.Descriptor) string {
	return cmp.Or(l.Annotations[modelPath], l.Annotations[olderPath], l.Annotations[ocispec.AnnotationTitle])
}

// isPacked reports whether a layer is an archive of files instead of one. The media type
// decides for ModelPack alone: oras gives that of a tar to every file.
func isPacked(l ocispec.Descriptor) bool {
	model := strings.HasPrefix(l.MediaType, "application/vnd.cncf.model.") || strings.HasPrefix(l.MediaType, "application/vnd.cnai.model.")
	return l.Annotations[orasUnpack] == "true" || model && !strings.HasSuffix(l.MediaType, ".raw")
}
