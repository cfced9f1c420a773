//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

// A contestant is a program that goes from nothing to a first token.
type contestant struct {
	name    string
	argv    []string
	env     []string
	home    string // what it keeps for its next start
	ours    bool
	standby bool                // what counts is from the death of its engine to an answer of the next one
	results map[string][]result // by cache
}

// model is what requests name.
const model = "bench"

// config is what examples/serve and `serve run` are given.
const config = `http_options: {host: %[1]s, port: %[2]s}
applications:
- name: app
  route_prefix: /
  import_path: ray.serve.llm:build_openai_app
  args:
    llm_configs:
    - model_loading_config: {model_id: ` + model + `, model_source: "%[3]s"}
      engine_kwargs: {max_model_len: 512, max_num_seqs: 4, dtype: bfloat16, enforce_eager: true%[4]s}
      placement_group_config: {bundles: [{CPU: 1}]}
      deployment_config: {num_replicas: 1}
`

// plain downloads and then serves, with the engine_kwargs of config.
const plain = `set -e
dir=$("$1" "$2")
exec "$3" serve "$dir" --served-model-name ` + model + ` --host "$4" --port "$5" \
  --max-model-len 512 --max-num-seqs 4 --dtype bfloat16 --enforce-eager`

// ray starts a cluster, with the processors that the replica, its engine and the ingress ask
// for, however many there are, and serves on it.
const ray = `set -e
"$1/ray" start --head --num-cpus=4
exec "$1/serve" run --address=auto "$2"`

// contestants are ours first.
func (l *lab) contestants(srv *servers.Server, set *dataset.Set) ([]*contestant, error) {
	host, port, err := net.SplitHostPort(l.addr)
	if err != nil {
		return nil, err
	}
	uri := fmt.Sprintf("s3://%s/%s", servers.Bucket, set.Name)
	file, streamed := filepath.Join(l.work, set.Name+".yaml"), filepath.Join(l.work, set.Name+"-streamed.yaml")
	for name, more := range map[string]string{file: "", streamed: ", load_format: runai_streamer"} {
		if err := os.WriteFile(name, fmt.Appendf(nil, config, host, port, uri, more), 0o600); err != nil {
			return nil, err
		}
	}
	serve := func(name string, args ...string) *contestant {
		argv := []string{filepath.Join(l.work, "serve"), "-addr", l.addr, "-accelerator", "none"}
		return &contestant{name: name, argv: append(argv, args...), env: []string{"SPINUP_VLLM=" + l.vllm}}
	}
	all := []*contestant{serve("spinup", file)}
	all[0].ours = true
	if slices.Contains(l.peers, "standby") {
		s := serve("spinup, from a standby", file, "-standbys", "1")
		s.standby, all = true, append(all, s)
	}
	if slices.Contains(l.peers, "streamed") {
		all = append(all, serve("spinup, streamed", streamed), serve("spinup, streamed through the host", streamed, "-stream-through-host"))
	}
	if slices.Contains(l.peers, "plain") {
		all = append(all, &contestant{
			name: "vllm serve",
			argv: []string{"sh", "-c", plain, "plain", filepath.Join(l.work, "download"), uri, l.vllm, host, port},
		})
	}
	if slices.Contains(l.peers, "ray") {
		all = append(all, &contestant{
			name: "Ray Serve LLM",
			argv: []string{"sh", "-c", ray, "ray", filepath.Dir(l.ray), file},
			env:  []string{"RAY_AUTH_MODE=disabled", "RAY_raylet_start_wait_time_s=120", "RAY_USAGE_STATS_ENABLED=0"},
		})
	}
	for i, k := range all {
		k.home = filepath.Join(l.work, fmt.Sprintf("home-%s-%d", set.Name, i))
		k.env = append(k.env, l.environ(srv, k.home)...)
		k.results = map[string][]result{}
	}
	return all, nil
}

// environ is what all of them find: the server, a small KV cache, and nobody to report to.
func (l *lab) environ(srv *servers.Server, home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8",
		"AWS_ENDPOINT_URL=" + srv.URL(), "AWS_ACCESS_KEY_ID=" + servers.AccessKey, "AWS_SECRET_ACCESS_KEY=" + servers.SecretKey,
		"AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
		"VLLM_CPU_KVCACHE_SPACE=1", "HF_HUB_OFFLINE=1", "VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1",
	}
}
