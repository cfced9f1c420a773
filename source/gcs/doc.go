// Package gcs is the driver for models in Google Cloud Storage.
//
//	mux.Handle("gs", gcs.Opener(nil))
//	src, err := mux.Open(ctx, "gs://models/llama")            // a folder of a bucket
//	src, err = mux.Open(ctx, "gs://anonymous@models/llama")   // without credentials
//	src, err = mux.Open(ctx, "gs://models/llama/config.json") // one object
//
// A prefix is a folder: gs://models/llama never takes gs://models/llama-13b/…. Where no
// such folder exists, an object with exactly that name becomes a manifest of one file.
//
// # Settings
//
// Credentials are looked up through [source.OpenOptions.Getenv] alone, so that the env_vars
// of one model reach neither another one nor the process. In this order:
//
//  1. the file that GOOGLE_APPLICATION_CREDENTIALS names: a service account, a user, one
//     that is impersonated, or workload identity federation (an external_account reads the
//     further variables of its kind from the process)
//  2. application_default_credentials.json in CLOUDSDK_CONFIG, else in .config/gcloud of
//     HOME: what "gcloud auth application-default login" writes
//  3. the metadata server at GCE_METADATA_HOST (else 169.254.169.254): the service account of
//     the machine or of the pod, unless NO_GCE_CHECK is true
//
// Tokens have the scope devstorage.read_only, and go to the API alone. Further:
// STORAGE_EMULATOR_HOST names another server, which gets no token; GOOGLE_CLOUD_QUOTA_PROJECT
// pays where the requester does; GOOGLE_CLOUD_PROJECT is where near buckets are looked for.
// Proxies are those of the process; a client of the caller's own ([source.OpenOptions.HTTP])
// brings its own.
//
// # Digests
//
// A file's Version is its generation, which every read names. Its Digest is the CRC32C that
// the listing tells, so that a folder of any size takes one request per thousand objects.
// Objects that are stored compressed are fetched as they are stored.
//
// # New files
//
// A source takes new files ([source.Creator]): an upload on the condition that there is no such
// object. It needs storage.objects.create, and its tokens alone have the scope
// devstorage.read_write.
//
// # Errors
//
// As package source says; a wrong bucket or prefix comes with the nearest that exist, a
// refusal with the missing permission, a rejected token with the place it came from. Lists
// are tried three times, reads once: download knows better how to go on. A service of tokens
// that does not answer is Unavailable; a metadata server is missed only on Google's machines,
// where GCE_METADATA_HOST is set, or where it gave a token before.
//
// # Telemetry
//
// None of its own. The SDK makes spans where a program has set a global tracer of
// OpenTelemetry; its metrics, which it would send to Google, are off.
package gcs
