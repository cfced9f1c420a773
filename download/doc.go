// Package download brings the files of a manifest to a directory: in parallel
// ranges, resumable, verified while the bytes pass.
//
//	src, err := mux.Open(ctx, "s3://bucket/llama")
//	if err != nil {
//		return err
//	}
//	man, err := download.Default.Fetch(ctx, src, "/models/llama")
//	if err != nil {
//		return err
//	}
//	fmt.Println(len(man.Files), "files,", man.Size(), "bytes")
//
// A [Manager] does it in two steps that can be used alone: Plan compares a manifest with a
// directory, Run fetches what is missing. A [Cache] keeps models of many sources on a node
// and shares each download among the replicas and processes that want it. [Cache.Stream] is for
// readers who will not wait for the last byte: an [Arrival] hands out bytes as they come, and
// its [Reader] says in the end whether those that were read were right.
//
// # Speed
//
// A download begins with 8 ranges in flight and doubles them as long as that brings a quarter
// more; a service that answers with Throttled, or asks for a pause, halves them. Where the cores
// are what is waited for, and as many files as there are cores are hashed in order, each of those comes
// in one range. Towards the end ranges get smaller, and what is slow is split among the connections
// that are idle. A connection that brings less than MinSpeed while others are four times as fast, or
// while it is alone, is exchanged. All runs of
// a [Budget] share its connections fairly, its bandwidth and the free space of the disk, and
// one that is asked for a pause makes the others from the same origin wait too.
//
// # Promises
//
// A file appears under its final name only when its size, and its digest where the source tells
// one, are right and its bytes are on the disk. What has arrived is not fetched again, also after
// kill -9, but for about a MiB for each connection, files of up to 2 MiB, those of which the source
// tells neither a version nor a digest, and what a server without ranges sends. Who goes on with a file reads
// what has arrived of it, and fetches anew the ranges that the disk gives back with other bytes. Nothing is written outside of the directory. What is not a
// finished file lies in its folder .spinup. On a file system without locks (flock) a file that was
// not finished is fetched anew, and one that several processes want by each of them.
//
// # Errors
//
// Errors are [lifecycle.Error] of these kinds: NoSpace (the disk is too small, also for what
// other downloads still need, before the first byte; or it has become full), Corrupt (wrong
// bytes twice), MissingFile (Verify, and a Reader's file that is gone), Timeout (no byte of a file for StallTimeout, in each of Attempts
// tries), Invalid (names that cannot be used, something in the way), AccessDenied, Canceled,
// and what the source reports. Throttled, Unavailable, Timeout and what has no kind are tried again
// first, with growing pauses or after the time that the service asks for, which is 5 minutes at
// most. [Reader.Verified] is Unavailable where wrong bytes were read and are fetched once more.
//
// # Telemetry
//
// Progress is what Run yields, also while it waits for another process. The Manager's Logger
// gets "range tried again" at level debug, and as warnings "resolve again", as nothing moves
// meanwhile, "file had wrong bytes and is fetched once more", and "file system without locks".
package download
