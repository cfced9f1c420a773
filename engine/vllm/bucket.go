package vllm

import (
	"cmp"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// bucketKeys begin the variables that vLLM's streamer and its SDKs read.
var bucketKeys = map[string][]string{
	"s3": {"RUNAI_STREAMER_", "AWS_"},
	"gs": {"RUNAI_STREAMER_", "GOOGLE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST"},
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

// completeBucket says in the streamer's words what env says in those of AWS: of its three
// clients none knows all. What is set stays.
func completeBucket(env lifecycle.EnvVars, spec engine.Spec) {
	if spec.Weights == nil || spec.Weights.Scheme != "s3" {
		return
	}
	set := func(key, value string) {
		if env[key] == "" && value != "" {
			env[key] = value
		}
	}
	if endpoint := cmp.Or(env["AWS_ENDPOINT_URL_S3"], env["AWS_ENDPOINT_URL"]); endpoint != "" {
		env["AWS_ENDPOINT_URL"] = endpoint // the streamer does not know the other
		set("RUNAI_STREAMER_S3_ENDPOINT", endpoint)
		set("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING", "0")
	}
	set("AWS_DEFAULT_REGION", env["AWS_REGION"])
	set("AWS_REGION", env["AWS_DEFAULT_REGION"])
	if spec.Weights.User != nil {
		set("RUNAI_STREAMER_S3_UNSIGNED", "1")
	}
}
