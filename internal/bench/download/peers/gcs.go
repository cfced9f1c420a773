//go:build linux

package peers

import "github.com/spinup-llm/spinup/internal/bench/download/servers"

func spinupGCS(j Job) (args, env []string, err error) {
	return []string{"gs://" + servers.Bucket + "/" + j.Set.Name, "-dir", j.Target}, nil, nil
}

func rcloneGCS(j Job) (args, env []string, err error) {
	args = []string{"copy", "bench:" + servers.Bucket + "/" + j.Set.Name, j.Target, "--fast-list", "--ignore-checksum"}
	if j.Server.CA != "" {
		args = append(args, "--ca-cert", j.Server.CA)
	}
	return args, []string{
		"RCLONE_CONFIG_BENCH_TYPE=google cloud storage", "RCLONE_CONFIG_BENCH_ANONYMOUS=true",
		"RCLONE_CONFIG_BENCH_ENDPOINT=" + j.URL + "/storage/v1/",
	}, nil
}

// sdkGCS always verifies: there is no option.
func sdkGCS(j Job) (args, env []string, err error) {
	return []string{"-with", "gcs", servers.Bucket, j.Set.Name, j.Target}, nil, nil
}

// gcloud is asked for no composite objects or accounts, and to verify nothing; its home holds nothing.
func gcloud(j Job) (args, env []string, err error) {
	args = []string{"storage", "cp", "--recursive", "--no-user-output-enabled", "gs://" + servers.Bucket + "/" + j.Set.Name + "/*", j.Target}
	env = []string{
		"CLOUDSDK_CONFIG=" + j.Scratch, "CLOUDSDK_CORE_PROJECT=bench", "CLOUDSDK_AUTH_DISABLE_CREDENTIALS=true",
		"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE=" + j.URL + "/storage/v1/", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING=true",
		"CLOUDSDK_STORAGE_CHECK_HASHES=never",
	}
	if j.Server.CA != "" {
		env = append(env, "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE="+j.Server.CA)
	}
	return args, env, nil
}
