//go:build linux

package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

func s5cmd(j Job) (args, env []string, err error) {
	args = []string{"--endpoint-url", j.URL}
	if j.Server.Anonymous {
		args = append(args, "--no-sign-request")
	}
	return append(args, "cp", "s3://"+servers.Bucket+"/"+j.Set.Name+"/*", j.Target+"/"), nil, nil
}

// awscli is version 1, which ignores the setting by which version 2 chooses the CRT: that has a peer of its own.
func awscli(j Job) (args, env []string, err error) {
	config := filepath.Join(j.Scratch, "aws.conf")
	const text = "[default]\ns3 =\n  addressing_style = path\n"
	args = []string{"s3", "cp", "--recursive", "--only-show-errors"}
	if j.Server.Anonymous {
		args = append(args, "--no-sign-request")
	}
	args = append(args, "s3://"+servers.Bucket+"/"+j.Set.Name+"/", j.Target)
	return args, append(unverified(j), "AWS_CONFIG_FILE="+config), os.WriteFile(config, []byte(text), 0o600)
}

func sdk(manager string) func(Job) (args, env []string, err error) {
	return func(j Job) (args, env []string, err error) {
		args = []string{"-with", manager}
		if j.Server.Anonymous {
			args = append(args, "-anonymous")
		}
		return append(args, servers.Bucket, j.Set.Name, j.Target), unverified(j), nil
	}
}

// byURI is for the scripts of internal/setup.
func byURI(j Job) (args, env []string, err error) {
	return []string{uri(j), j.Target}, unverified(j), nil
}

func spinupS3(j Job) (args, env []string, err error) {
	return []string{uri(j), "-dir", j.Target}, bundle(j), nil
}

// rclone lists without a delimiter (--fast-list), as the static list of nginx has none. By default it
// compares MD5 digests, where the server has some.
func rclone(j Job) (args, env []string, err error) {
	args = []string{"copy", "bench:" + servers.Bucket + "/" + j.Set.Name, j.Target, "--fast-list", "--ignore-checksum"}
	if j.Server.CA != "" {
		args = append(args, "--ca-cert", j.Server.CA)
	}
	env = []string{"RCLONE_CONFIG_BENCH_TYPE=s3", "RCLONE_CONFIG_BENCH_PROVIDER=Other", "RCLONE_CONFIG_BENCH_ENDPOINT=" + j.URL}
	if !j.Server.Anonymous {
		env = append(env, "RCLONE_CONFIG_BENCH_ACCESS_KEY_ID="+servers.AccessKey,
			"RCLONE_CONFIG_BENCH_SECRET_ACCESS_KEY="+servers.SecretKey)
	}
	return args, env, nil
}

func aria2(j Job) (args, env []string, err error) {
	input, err := addresses(j, "%s\n  out=%s\n")
	args = []string{
		"--quiet", "--input-file", input, "--dir", j.Target, "--file-allocation=none",
		"--max-concurrent-downloads=16", "--max-connection-per-server=16", "--split=16",
	}
	if j.Server.CA != "" {
		args = append(args, "--ca-certificate", j.Server.CA)
	}
	return args, nil, err
}

func curl(j Job) (args, env []string, err error) {
	input, err := addresses(j, "url = %q\noutput = \""+j.Target+"/%s\"\n")
	args = []string{"--parallel", "--parallel-max", "16", "--create-dirs", "--silent", "--show-error", "--fail", "--config", input}
	if j.Server.CA != "" {
		args = append(args, "--cacert", j.Server.CA)
	}
	return args, nil, err
}

// addresses writes a file with one entry, an URL and a path, per file of the set.
func addresses(j Job, entry string) (string, error) {
	var b strings.Builder
	for _, f := range j.Set.Files {
		fmt.Fprintf(&b, entry, j.URL+"/"+servers.Bucket+"/"+j.Set.Name+"/"+f.Path, f.Path)
	}
	path := filepath.Join(j.Scratch, "addresses")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

func uri(j Job) string {
	if j.Server.Anonymous {
		return "s3://anonymous@" + servers.Bucket + "/" + j.Set.Name
	}
	return "s3://" + servers.Bucket + "/" + j.Set.Name
}

// bundle names the authority as the AWS SDKs want it. rclone refuses to work with it.
func bundle(j Job) []string {
	if j.Server.CA == "" {
		return nil
	}
	return []string{"AWS_CA_BUNDLE=" + j.Server.CA}
}

// unverified is for the AWS SDKs of others: no checksum is asked for, and none is compared.
func unverified(j Job) []string {
	return append(bundle(j), "AWS_RESPONSE_CHECKSUM_VALIDATION=when_required")
}
