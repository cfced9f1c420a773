// Package source finds model files. A [Source] is one repository: a bucket prefix, a
// directory, a model of a hub. A [Mux] opens URIs by scheme; drivers live in subpackages
// and pass the suite in package sourcetest.
//
//	var mux source.Mux
//	mux.Handle("file", local.Opener())
//	mux.Handle("s3", s3.Opener(nil))
//	src, err := mux.WithEnv(envVars).Open(ctx, "s3://anonymous@models/llama")
//	man, err := src.Resolve(ctx)
//	for _, f := range man.Files {
//		fmt.Println(f.Path, f.Size, f.Digest)
//	}
//	err = source.CheckModel(ctx, src, man, nil)
//
// # Errors
//
// Every error is a [lifecycle.Error], or several of them joined, whose Op is "source.Open" (a URI),
// "source.Resolve" (a listing), "source.Read" (bytes of a file), "source.Create" (a new one) or
// "source.CheckModel"; only that a file to create exists is fs.ErrExist alone. Drivers use these kinds:
//
//   - Invalid: the URI is malformed, its scheme is unknown, a file name would escape
//   - NotFound: no such bucket, prefix or directory; the hint names the nearest that exist
//   - MissingFile: a file of the manifest is gone, or a model lacks one
//   - Corrupt: a file changed since Resolve, or its bytes contradict themselves
//   - Unauthenticated, AccessDenied, Gated, WrongRegion: what to change is in the hint
//   - Throttled, Unavailable: worth a retry; [RetryAfter] says how long the service asks to wait
//   - NoSpace: a directory has no room for a new file
//   - Canceled, Timeout: the context ended
//
// # Telemetry
//
// This package and its drivers emit none of their own: whoever calls them knows the stage.
package source
