// Package s3 is the driver for models in S3 and in what speaks its protocol (MinIO,
// versitygw, Ceph, R2 …).
//
//	mux.Handle("s3", s3.Opener(nil))
//	src, err := mux.Open(ctx, "s3://models/llama")            // a folder of a bucket
//	src, err = mux.Open(ctx, "s3://anonymous@models/llama")   // without keys
//	src, err = mux.Open(ctx, "s3://models/llama/config.json") // one object
//
// A prefix is a folder: s3://models/llama never takes s3://models/llama-13b/…. Where no
// such folder exists, an object with exactly that key becomes a manifest of one file.
//
// # Settings
//
// Credentials and endpoints are looked up through [source.OpenOptions.Getenv] alone, so
// that the env_vars of one model reach neither another one nor the process. In this order:
//
//  1. AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN
//  2. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (roles of Kubernetes pods)
//  3. the profile AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE:
//     keys, roles, SSO, credential_process (a role's credential_source reads the process)
//  4. AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS pod identity)
//  5. the role of the EC2 instance, unless AWS_EC2_METADATA_DISABLED is true
//
// Those that end are replaced a minute before, and once more when the service no longer
// takes them: a token is asked for anew, a file of keys read anew. Keys of the environment
// cannot be: then a download ends with Unauthenticated, and goes on from where it was when
// it is started with new ones. Where no new ones are given, those in hand are used
// until their end; then that is Unavailable if nobody answers, else Unauthenticated. An instance's metadata service is missed only where
// AWS_EC2_METADATA_SERVICE_ENDPOINT is set, or where it gave keys before.
//
// Further: AWS_REGION, AWS_DEFAULT_REGION (else the profile's, else us-east-1);
// AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL (else the profile's), unless
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true; AWS_ENDPOINT_URL_STS; AWS_CA_BUNDLE;
// AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT; AWS_REQUEST_PAYER=requester for
// buckets whose readers pay; HTTP_PROXY, HTTPS_PROXY and NO_PROXY. A client of the caller's
// own ([source.OpenOptions.HTTP]) brings its own proxies and authorities. A bucket in another
// region is found by itself.
//
// A bucket is addressed by host at AWS and at services that know no other way, and by path
// elsewhere and where its name has a dot. RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING (1 or 0),
// which vLLM's streamer reads too, or [Options.PathStyle] say otherwise.
//
// # Revisions
//
// A revision is a digest of the listing with its ETags. A short object named "hash" in the
// folder, in which mirrors for Ray keep the commit, is put before it.
//
// # Digests
//
// A file's Version is its ETag and the If-Match of every read. Its Digest is told late (see
// [source.Digester]), so that no request comes before the first bytes: with the bytes of a file
// that is read whole, else by a HEAD beside them. It is, in this order:
//
//   - the checksum of the whole object that S3 stores: CRC64NVME, CRC32C, CRC32 or SHA256
//     (uploads have had one by default since the end of 2024)
//   - of an upload in parts with CRC32C or CRC32 for each, that of the whole, combined from
//     those of all parts (needs s3:GetObjectAttributes, and a service that tells the parts)
//   - the MD5 in the ETag, where the object was uploaded in one part and is not encrypted
//     with a key of KMS or of the customer
//   - of an upload in parts of one size, the digest of the parts' digests: SHA256, CRC32C or
//     CRC32 as stored, or the MD5 in the ETag of AWS, MinIO and versitygw (see [source.Pieces])
//
// Files that have none of these, such as uploads in parts of different sizes with SHA256, have
// no digest: of them each range is pinned to the ETag, and the size is checked.
//
// # New files
//
// A folder takes new files ([source.Creator]): one PUT with If-None-Match, so that of several
// callers one wins. It needs s3:PutObject.
//
// # Errors
//
// As package source says; a wrong bucket or prefix comes with the nearest that exist, a
// refusal with the missing permission, a rejected key with the place it came from. Lists
// and HEADs are tried three times, after the Retry-After of the service where that is 20 s
// or less; reads are tried once: download knows better how to go on, and hears of a longer
// Retry-After through [source.RetryAfter].
package s3
