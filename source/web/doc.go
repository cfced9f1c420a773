// Package web is the driver for models on a plain web server: nginx, Apache, Caddy,
// "python3 -m http.server", Go's file server, or a link to one file.
//
//	mux.Handle("http", web.Opener(nil))
//	mux.Handle("https", web.Opener(nil))
//	src, err := mux.Open(ctx, "https://models.example.com/llama/")            // a folder
//	src, err = mux.Open(ctx, "https://models.example.com/llama/SHA256SUMS")   // a list of files
//	src, err = mux.Open(ctx, "https://models.example.com/llama/config.json")  // one file
//
// # Folders
//
// A folder is read from the page that the server makes of it: its relative links, and those
// of the folders below, at most 1000 of them, 32 deep, and 100,000 files. Where a file SHA256SUMS lies in
// it, as sha256sum(1) writes it, the files that it names are there too, and have its
// digests; it is enough where the server lists nothing. A URI that ends in SHA256SUMS means
// just the files that are named there. A URI without a slash at its end is the file of that
// name, or the folder to which the server redirects.
//
// Each file takes one HEAD, 32 at the same time, for its size and its version: the ETag,
// else the time of its last change. Every read asks for that version (If-Match,
// If-Unmodified-Since; neither for a weak ETag) and checks that the answer has it, and the size. A server that gives
// neither is trusted about both, unless there is a digest.
//
// A server that does not know ranges works as well: an answer waits, for 30 s at most, for
// the range that follows. Of each file one answer is read at a time, and other ranges wait for it.
//
// # Settings
//
// Credentials go to one origin (scheme, host and port) alone, never across a redirect to
// another: user and password of the URI to the URI's; else, where SPINUP_HTTP_ORIGIN is the
// URI's origin ("https://models.example.com"), SPINUP_HTTP_TOKEN as a bearer token, or
// SPINUP_HTTP_USER with SPINUP_HTTP_PASSWORD. They are looked up through
// [source.OpenOptions.Getenv] alone. A query, as signed links have one, is allowed for one
// file, and is never shown. Redirects from https to http are refused. Proxies are those of
// the process; a client of the caller's own ([source.OpenOptions.HTTP]) brings its own.
//
// # Errors
//
// As package source says; what is not found comes with the nearest that exist, where the
// server lists them. Pages and HEADs are tried three times, reads once: download knows
// better how to go on.
package web
