// Package hub is the driver for models of the Hugging Face Hub and of what speaks its
// protocol (mirrors, caching proxies).
//
//	mux.Handle("hf", hub.Opener(nil))
//	src, err := mux.Open(ctx, "hf://org/name")         // the branch main
//	src, err = mux.Open(ctx, "hf://org/name@v1.0")     // a branch, tag or commit
//	src, err = mux.Open(ctx, "hf://org/name@refs/pr/1")
//
// Resolve asks for the commit (unless the revision is one) and lists its tree. A file's
// Digest is the SHA-256 of what LFS stores, and git's SHA-1 of the others; its Version is
// the same number, by which the caches of Python name their blobs. Open asks the hub once
// for the link of a large file and reads all its ranges from there; a link that has expired
// is asked for again.
//
// A caching proxy that knows no ranges works as well: one answer with all of the file serves
// them, one after the other, which costs little more than the file's bytes.
//
// A model costs one request for the commit, one for each page of the tree, one for each large
// file beside its ranges, and one for each small file and one more. A model whose commit lies
// in the cache in full costs the first of these alone, and none where the URI names the commit.
//
// # Xet
//
// Large files that the hub stores by Xet have a plain link as all others have, and a SHA-256:
// they come that way, in parallel ranges. HF_HUB_DISABLE_XET and HF_XET_HIGH_PERFORMANCE
// change nothing.
//
// # The cache
//
// download keeps the files where the tools of the hub do, in their form (that of
// huggingface_hub 2.4): blobs, refs, snapshots, trees, .no_exist and locks, so that each side
// serves the other, offline too. Three things differ. Partial files lie in blobs/.spinup and
// outlive the process. The listing of all files goes to trees only once all of them are
// there, and before that to .spinup/COMMIT.json: with it in trees, as after a
// snapshot_download with patterns, Python refuses to work offline with the files that were chosen.
// And optional files that a commit lacks are marked in .no_exist unasked, which saves Python's
// loaders the question. [CacheDir] is that folder, for download.PruneHub.
//
// # Which files
//
// By default a manifest has what an engine needs, as [ForEngine] says: one format of the
// weights, the shards that the index names, no states of a training. Who opens the source
// ([source.OpenOptions].Choose: an engine that chooses) and [Options] choose otherwise.
//
// # Settings
//
// They are looked up through [source.OpenOptions.Getenv] alone:
//
//   - HF_ENDPOINT: the hub; a path in it is kept
//   - HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the file HF_TOKEN_PATH (else HF_HOME/token,
//     where HF_HOME is XDG_CACHE_HOME/huggingface or ~/.cache/huggingface); none of these with
//     HF_HUB_DISABLE_IMPLICIT_TOKEN. Without HOME, "~" is the home that the system knows
//   - HF_HUB_CACHE, else HUGGINGFACE_HUB_CACHE, else HF_HOME/hub: where download keeps the files,
//     so that the tools of the hub find them, and finds theirs. "~" and variables in it, and in
//     the other paths, are expanded
//   - HF_HUB_DISABLE_SYMLINKS: snapshots have the files themselves, as further names of the
//     blobs where the file system can do that, else as copies
//   - HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE: no request is sent, and Resolve and Open read that
//     cache. A model that is not there is NotFound, and MissingFile one without config.json or
//     some of its weights; what else is missing is left out. A snapshot of files in place of
//     links, without a listing, is leased where it is: the Source is then a [source.InPlace], its
//     files have no digests, and nothing is written there
//   - HF_HUB_ETAG_TIMEOUT, HF_HUB_DOWNLOAD_TIMEOUT: seconds that the hub, or the server of a
//     large file, may take to answer; both 10. How long bytes may be awaited, also those of a
//     listing, is download's StallTimeout.
//
// HF_HUB_ENABLE_HF_TRANSFER changes nothing: ranges are always parallel. Tokens of OIDC
// (HF_OIDC_RESOURCE) are not fetched, and those of OAuth not renewed. Proxies are those of
// the process; a client of the caller's own ([source.OpenOptions.HTTP]) brings its own.
//
// # The token
//
// It is sent to the origin (scheme, host and port) of the hub alone, whatever redirects say.
// Neither it nor a signed link is part of any error.
//
// # Errors
//
// As package source says. Gated names the page where the licence is accepted,
// Unauthenticated the places where a token was looked for, NotFound the nearest names, and
// Unavailable says when the cache has a copy. Nothing is tried twice but an expired link:
// download knows better how to go on.
package hub
