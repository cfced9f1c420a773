// Package store serves the files of one model to one engine of this machine through S3's API,
// which is what engines stream weights with. The files may come from anywhere, and need not be
// here yet: a [download.Reader] hands out bytes as they arrive, and keeps a verified copy.
//
//	s, err := store.Listen(ctx)
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	a, err := cache.Stream(ctx, nil, src, man, nil)
//	…
//	r := a.Reader()
//	uri := s.Serve(man, r)            // "s3://spinup/llama-1f2e3d4c5b6a7988"
//	start(uri, s.Endpoint, s.AccessKey, s.SecretKey)
//	err = r.Verified(ctx)             // what the engine has read was right
//
// # What it answers
//
// What the clients of engines send, addressed by path: ListObjectsV2 with prefix, delimiter and
// pages; HeadObject and GetObject, whole or a range, with If-Match; HeadBucket. Every object
// has an ETag, without which the Run:ai streamer fails. All else is NotImplemented.
//
// # Who may read
//
// It listens on loopback, where every user of the machine can connect. A request has to name
// the access key, which is random for each Store and told to nobody but the engine; it is
// compared in constant time. The signature is not computed: whoever could read the key from
// a request could read the answer, too.
//
// # Errors
//
// Clients get S3's own codes: AccessDenied without the key, NoSuchBucket, NoSuchKey, InvalidRange,
// PreconditionFailed, and InternalError where the files fail to open. A body that fails
// under way is cut, which clients notice by its length. Listen fails with kind Invalid.
package store
