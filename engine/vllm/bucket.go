package vllm

import (
	"cmp"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/s3style"
	"github.com/spinup-llm/spinup/lifecycle"
)

// bucketKeys begin the variables that vLLM's streamer and its SDKs read.
var bucketKeys = map[string][]string{
	"s3": {"RUNAI_STREAMER_", "AWS_"},
	"gs": {"RUNAI_STREAMER_", "GOOGLE_", "CLOUDSDK_", "CLOUD_STORAGE_EMULATOR_ENDPOINT", "STORAGE_EMULATOR_HOST"},
}

// bucketModules are the parts of the streamer that read each.
var bucketModules = map[string]string{"s3": "runai_model_streamer_s3", "gs": "runai_model_streamer_gcs"}

// isBucketKey reports whether a variable is about buckets of any kind.
func isBucketKey(name string) bool {
	for _, prefixes := range bucketKeys {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

// bucketEnvironment is what an engine that reads a bucket inherits of the process: what the
// checks before its start found the bucket with.
func bucketEnvironment(spec engine.Spec, environ []string) lifecycle.EnvVars {
	if spec.Weights == nil {
		return nil
	}
	env := lifecycle.EnvVars{}
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		for _, prefix := range bucketKeys[spec.Weights.Scheme] {
			if strings.HasPrefix(key, prefix) {
				env[key] = value
			}
		}
	}
	return env
}

// completeBucket says in the streamer's words what env and the URI say in others: of its
// three clients none knows all. What is set stays.
func completeBucket(env lifecycle.EnvVars, spec engine.Spec) {
	if spec.Store != nil {
		useStore(env, spec.Store)
		return
	}
	if spec.Weights == nil {
		return
	}
	set := func(key, value string) {
		if env[key] == "" && value != "" {
			env[key] = value
		}
	}
	switch anonymous := spec.Weights.User != nil; {
	case spec.Weights.Scheme == "s3":
		endpoint := cmp.Or(env["AWS_ENDPOINT_URL_S3"], env["AWS_ENDPOINT_URL"])
		if endpoint != "" {
			env["AWS_ENDPOINT_URL"] = endpoint // the streamer does not know the other
			set("RUNAI_STREAMER_S3_ENDPOINT", endpoint)
		}
		if s3style.NeedsPath(spec.Weights.Host, endpoint) {
			set("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING", "0")
		}
		set("AWS_DEFAULT_REGION", env["AWS_REGION"])
		set("AWS_REGION", env["AWS_DEFAULT_REGION"])
		set("RUNAI_STREAMER_S3_TIMEOUT", "120") // seconds in which a failed read is tried again; else it never is
		if anonymous {
			set("RUNAI_STREAMER_S3_UNSIGNED", "1")
		}
	case spec.Weights.Scheme == "gs" && anonymous:
		set("RUNAI_STREAMER_GCS_USE_ANONYMOUS_CREDENTIALS", "true")
		set("GOOGLE_CLOUD_PROJECT", "none") // or it asks for the project of credentials that there are not
	}
}
