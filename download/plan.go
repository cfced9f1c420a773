package download

import (
	"context"
	"path"
	"strings"

	"github.com/spinup-llm/spinup/download/internal/journal"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// A Plan is data: print it, test it, or Run it.
type Plan struct {
	Dir string
	// Ranges are in the order of their start: striped over a few large files at a time.
	// A range of Len 0 fetches nothing: its file is empty, or only has to be completed.
	Ranges   []Range
	Reuse    int64 // bytes found on disk and still valid
	Fetch    int64 // bytes to transfer
	Files    int   // files of the manifest
	Complete int   // files that need nothing

	origin string             // whose wish to be left alone concerns all that is fetched from it
	found  []journal.Verified // hashed by Plan and right; Run notes them
	litter bool               // a kill left something beside complete files; Run sweeps it

	arrival   *Arrival          // that readers wait for; nil when there is none
	published func(source.File) // is told what has got its final name, by whoever gave it that; may be nil
}

// A Range is a part of one file, in bytes.
type Range struct {
	File source.File
	Off  int64
	Len  int64
}

// Plan compares the manifest with dir and says what is left to do. It reads
// but does not write, so it serves as a dry run.
//
// A file is complete when it was verified in dir before and still has that size and time of
// modification, or else when its bytes have the manifest's digest. One whose digest the source
// tells late, see [source.Digester], may prove complete only when Run asks. A manifest with names
// that cannot be used is Invalid; a file system that cannot hold what is missing is NoSpace.
func (m *Manager) Plan(ctx context.Context, man *source.Manifest, dir string) (*Plan, error) {
	files, err := usable(man)
	if err != nil {
		return nil, err
	}
	return m.plan(ctx, man.URI, files, dir, nil)
}

// plan is Plan for usable files of uri, where known has been verified but not yet been noted.
func (m *Manager) plan(ctx context.Context, uri string, files []source.File, dir string, known []journal.Verified) (*Plan, error) {
	findings, err := survey(ctx, dir, files, known, rehash)
	if err != nil {
		return nil, err
	}
	if err := m.shared().check(dir, findings); err != nil {
		return nil, err
	}
	p := m.newPlan(dir, findings)
	p.origin = originOf(uri)
	return p, nil
}

// originOf returns the part of a URI that says whose service it is. All models of the hub
// are of one.
func originOf(uri string) string {
	scheme, rest, _ := strings.Cut(uri, "://")
	if scheme == "hf" {
		return scheme
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

func (m *Manager) newPlan(dir string, findings []finding) *Plan {
	p := &Plan{Dir: dir, Files: len(findings)}
	for _, f := range findings {
		missing := f.missing()
		p.Fetch += missing
		p.Reuse += f.file.Size - missing
		if f.complete {
			p.Complete++
		}
		p.litter = p.litter || f.littered
		if f.found != nil {
			p.found = append(p.found, *f.found)
		}
	}
	p.Ranges = layout(findings, m.PartSize, m.shared().connections())
	return p
}

// files returns the files that have a range, in the order of their first.
func (p *Plan) files() []source.File {
	seen := make(map[string]bool, len(p.Ranges))
	var files []source.File
	for _, r := range p.Ranges {
		if !seen[r.File.Path] {
			seen[r.File.Path] = true
			files = append(files, r.File)
		}
	}
	return files
}

// names returns the paths of those files.
func (p *Plan) names() []string {
	var names []string
	for _, f := range p.files() {
		names = append(names, f.Path)
	}
	return names
}

// usable checks the names again, whoever made the manifest: what is written below dir
// depends on them.
func usable(man *source.Manifest) ([]source.File, error) {
	checked, err := source.NewManifest(man.URI, man.Revision, man.Files)
	if err != nil {
		return nil, err
	}
	for _, f := range checked.Files {
		if first, _, _ := strings.Cut(path.Clean(f.Path), "/"); strings.EqualFold(first, stateDir) {
			return nil, &lifecycle.Error{
				Op: "download.Plan", Kind: lifecycle.Invalid, Target: f.Path,
				Hint: "rename it: " + stateDir + " is where unfinished downloads are kept",
			}
		}
	}
	return checked.Files, nil
}
