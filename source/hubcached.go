package source

// A HubCached is a Source whose files the tools of the Hugging Face Hub keep in a cache of
// their own on this machine: a download for them serves others as well. Each file has a
// Digest of kind sha256 or git-sha1. Optional.
type HubCached interface {
	Source
	// HubCache returns where the files of a revision, as a manifest names it, belong.
	HubCache(revision string) HubCache
}

// A HubCache is the place of a model in the cache of the hub's tools, and what they note
// there of one revision.
type HubCache struct {
	Dir     string   // the absolute folder of the model, …/models--ORG--NAME; "" where that cache is not to be used
	Ref     string   // the branch or tag that was asked for; "" for a commit
	NoLinks bool     // a snapshot has the files themselves, not links to them
	Listing []byte   // all files of the revision, as the tools write it; nil where it is not known
	Files   []string // their paths
	Absent  []string // files that the tools look for and the revision lacks
}

// HubListings is the folder, below HubCache.Dir, of listings of revisions that are not there
// in full. The tools find those of complete revisions in "trees"; with the others they would
// refuse to work offline with what there is.
const HubListings = ".spinup"
