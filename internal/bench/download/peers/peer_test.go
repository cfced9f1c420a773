//go:build linux

package peers_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/peers"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
	"github.com/stretchr/testify/require"
)

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]string{
		"rclone v1.60.1-DEV\n- os/version: debian 12": "1.60.1-DEV",
		"v2.3.0-991c9fb":                              "2.3.0-991c9fb",
		"aws-cli/1.46.3 Python/3.11.7 Linux/6.1":      "1.46.3",
		"curl 7.88.1 (x86_64-pc-linux-gnu)":           "7.88.1",
		"aria2 version 1.36.0\nCopyright":             "1.36.0",
		"✓ hf version\n  version: 2.4.0\nHint: 'a.b'": "2.4.0",
		"huggingface_hub version: 0.36.0":             "0.36.0",
		"no figure at all. None":                      "unknown",
		"":                                            "unknown",
	} {
		require.Equal(t, want, peers.ParseVersion(out), out)
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add("rclone v1.60.1-DEV\n- os/version")
	f.Add("/:, v.")
	f.Fuzz(func(t *testing.T, out string) {
		v := peers.ParseVersion(out)
		require.True(t, v == "unknown" || strings.Contains(out, v), v)
	})
}

// program makes a script that says its version.
func program(t *testing.T, dir, name, does string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+does+"\n"), 0o700))
}

func TestFindNamesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program(t, dir, "s5cmd", "echo v9.9.9")
	program(t, dir, "hf", "echo Traceback >&2; echo ModuleNotFoundError >&2; exit 1")
	program(t, dir, "ours", "exit 0")
	all := slices.DeleteFunc(peers.All(filepath.Join(dir, "ours")), func(p *peers.Peer) bool { // others may be installed here
		return !slices.Contains([]string{peers.Ours, "s5cmd", "hf download"}, p.Name)
	})
	found, missing := peers.Find(t.Context(), all, dir)
	require.Equal(t, peers.Ours, found[0].Name)
	require.Equal(t, []string{"hf download: exit status 1: ModuleNotFoundError"}, missing)
	versions := map[string]string{}
	for _, p := range found {
		versions[p.Name] = p.Version
	}
	require.Equal(t, "9.9.9", versions["s5cmd"], "the folder comes before the PATH")
}

// Every peer gets what it needs, and no more: the keys only where requests are signed, the
// proxy settings and tokens of whoever measures never.
func TestCommands(t *testing.T) {
	t.Parallel()
	set := dataset.Model(1.0 / 2048)
	for _, s := range []*servers.Server{
		{Name: "nginx", Protocol: servers.S3, Anonymous: true, CA: "/ca.pem"},
		{Name: "minio", Protocol: servers.S3},
		{Name: "gcs", Protocol: servers.GCS, Anonymous: true},
		{Name: "gcs-tls", Protocol: servers.GCS, Anonymous: true, CA: "/ca.pem"},
		{Name: "hub", Protocol: servers.Hub, Anonymous: true},
	} {
		for _, p := range peers.All("/ours") {
			if !p.Can(s) {
				continue
			}
			job := peers.Job{Server: s, URL: "http://127.0.0.1:1", Set: set, Target: "/target", Scratch: t.TempDir()}
			argv, env, err := p.Command(job)
			require.NoError(t, err)
			all := strings.Join(env, " ")
			if p.Name != "curl -Z" { // a file tells it where to write
				require.Contains(t, strings.Join(argv, " ")+all, "/target", p.Name)
			}
			require.Equal(t, !s.Anonymous, strings.Contains(all, servers.SecretKey), p.Name)
			require.NotContains(t, strings.Join(argv, " "), servers.SecretKey, p.Name)
			require.NotContains(t, all, "HF_TOKEN")
		}
	}
}
