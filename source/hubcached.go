package source

// A HubCached is a Source whose files the tools of the Hugging Face Hub keep in a cache of
// their own on this machine: a download for them serves others as well. Each file has a
// Digest of kind sha256 or git-sha1. Optional.
type HubCached interface {
	Source
	// HubCache returns the absolute folder of the model, …/models--ORG--NAME, or "" when
	// that cache is not to be used; and the ref that was asked for, "" for a commit.
	HubCache() (dir, ref string)
}
