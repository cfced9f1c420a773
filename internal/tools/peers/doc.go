// Sdkget downloads a folder of a bucket with one of the two download managers of the AWS
// SDK for Go, or that of Google's storage, as a program would that is written with them. It is a peer in
// internal/bench/download, and a module of its own so that nobody else depends on them.
//
//	AWS_ENDPOINT_URL=… sdkget -with manager|transfermanager BUCKET PREFIX DIR
//	STORAGE_EMULATOR_HOST=… sdkget -with gcs BUCKET PREFIX DIR
//
// AWS_EC2_METADATA_DISABLED and the other variables of the SDK apply; -anonymous signs
// nothing. Four objects are fetched at the same time, with the managers' own defaults for
// the parts of each; Google's fetches sixteen parts at the same time.
package main
