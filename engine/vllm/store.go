package vllm

import (
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

var _ engine.StoreReader = Engine{}

// ReadsStore implements engine.StoreReader.
func (e Engine) ReadsStore(spec engine.Spec) error {
	inst, err := e.find()
	if err != nil {
		return err
	}
	format, module := loadFormat(spec.Kwargs), bucketModules["s3"]
	switch {
	case loaderModules[format] != "runai_model_streamer":
		return invalidKwarg("load_format", fmt.Sprintf("%q streams from no bucket", format), "use load_format runai_streamer")
	case !inst.mayHavePackage(module):
		return problem(lifecycle.NotFound, module, "the streamer's part for S3 is not installed", "pip install 'runai-model-streamer[s3]'")
	}
	return nil
}

// useStore tells the streamer's three clients of a store, and of nothing else: what env says
// of S3 is for the origin, and the user's own files are not read.
func useStore(env lifecycle.EnvVars, store *engine.Store) {
	maps.DeleteFunc(env, func(name, _ string) bool {
		return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "RUNAI_STREAMER_S3_")
	})
	endpoint := store.Endpoint.String()
	maps.Copy(env, lifecycle.EnvVars{
		"AWS_ENDPOINT_URL": endpoint, "RUNAI_STREAMER_S3_ENDPOINT": endpoint,
		"AWS_ACCESS_KEY_ID": store.AccessKey, "AWS_SECRET_ACCESS_KEY": store.SecretKey,
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
		"RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING": "0",
		"RUNAI_STREAMER_S3_TIMEOUT":                "3600", // seconds; the host knows when bytes will not come
	})
	bypassProxy(env, store.Endpoint.Hostname())
}
