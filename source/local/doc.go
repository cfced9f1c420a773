// Package local is the driver for models that lie in a directory of this machine. Nothing
// is copied: the source is a [source.InPlace].
//
//	mux.Handle("file", local.Opener())
//	src, err := mux.Open(ctx, "/models/llama")
//	src, err = mux.Open(ctx, "./llama") // also file:///models/llama
//
// All regular files count, and links to regular files wherever those lie: so a snapshot of
// the Hugging Face cache is a model. Links to folders are not followed, folders whose name
// begins with a dot (.git, .cache) are left out, and so are those below that this user may not
// read (lost+found). A file's Version is its size and time of
// modification, and there is no Digest: whoever owns the directory vouches for it.
//
// # Errors
//
// NotFound names the nearest directories that exist; Invalid means that the path is a file
// or holds a name that no manifest can have; MissingFile a link to nothing; AccessDenied
// the directory, or a file, that this user may not read.
package local
