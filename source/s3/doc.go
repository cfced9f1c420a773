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
// Further: AWS_REGION, AWS_DEFAULT_REGION (else the profile's, else us-east-1);
// AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL (else the profile's), unless
// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true; AWS_CA_BUNDLE; AWS_USE_FIPS_ENDPOINT and
// AWS_USE_DUALSTACK_ENDPOINT. Proxies are those of the process; a client of the caller's own
// ([source.OpenOptions.HTTP]) brings its own proxies and authorities. A bucket in another
// region is found by itself. Endpoints of one's own and buckets with a dot are addressed by
// path.
//
// # Digests
//
// A file's Version is its ETag and the If-Match of every read. Its Digest is the
// full-object checksum that S3 stores (CRC64NVME, CRC32C, CRC32 or SHA256; uploads have had
// one by default since the end of 2024), else the MD5 in the ETag where the object was
// uploaded in one part and is not encrypted with a key of KMS or of the customer. Reading
// either takes one HEAD per file, 32 at the same time. Composite checksums (those of parts)
// are no digest of the file: then there is none, and only the size tells.
//
// # Errors
//
// As package source says; a wrong bucket or prefix comes with the nearest that exist, a
// refusal with the missing permission, a rejected key with the place it came from. Lists
// and HEADs are tried three times, reads once: download knows better how to go on.
package s3
