//go:build linux

package peers

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
)

// A Job is one download.
type Job struct {
	Server  *servers.Server
	URL     string // of the server, from where the client is
	Set     *dataset.Set
	Target  string // empty folder for the files
	Scratch string // empty folder for all else; it is the program's home
}

// A Peer is a downloader.
type Peer struct {
	Name    string
	Version string // what it says of itself, once found

	program   string   // its name, or its path
	version   []string // arguments that make it tell its version
	protocol  string   // of the servers that it downloads from; "" means S3
	anonymous bool     // it cannot sign: it only takes what is public
	command   func(j Job) (args, env []string, err error)
}

// Can reports whether the peer can download from a server.
func (p *Peer) Can(s *servers.Server) bool {
	return cmp.Or(p.protocol, servers.S3) == s.Protocol && (s.Anonymous || !p.anonymous)
}

// Command returns what to run for a job, and its whole environment.
func (p *Peer) Command(j Job) (argv, env []string, err error) {
	args, more, err := p.command(j)
	env = append(base(j), more...)
	return append([]string{p.program}, args...), env, err
}

// Files is the folder where a peer leaves the files of a job.
func (p *Peer) Files(j Job) (string, error) {
	if p.protocol != servers.Hub {
		return j.Target, nil
	}
	repo := "models--" + strings.ReplaceAll(servers.Repository(j.Set), "/", "--")
	snapshots, err := filepath.Glob(filepath.Join(j.Target, "hub", repo, "snapshots", "*"))
	if err == nil && len(snapshots) != 1 {
		err = fmt.Errorf("%d snapshots in the cache", len(snapshots))
	}
	if err != nil {
		return "", err
	}
	return snapshots[0], nil
}

// Find looks for the programs of the peers in a folder and in the PATH, and returns those
// that are there and run; missing says why each other one is not.
func Find(ctx context.Context, all []*Peer, folder string) (found []*Peer, missing []string) {
	for _, p := range all {
		path, err := look(p.program, folder)
		if err == nil {
			p.program = path
			p.Version, err = ask(ctx, path, p.version)
		}
		if err != nil {
			missing = append(missing, p.Name+": "+err.Error())
			continue
		}
		found = append(found, p)
	}
	return found, missing
}

func look(program, folder string) (string, error) {
	if path := filepath.Join(folder, program); !strings.Contains(program, "/") {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return exec.LookPath(program)
}

// ask runs a program for its version, which is the first word with a digit.
func ask(ctx context.Context, path string, args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // the peer
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "NO_COLOR=1"}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, lastLine(string(out)))
	}
	return parseVersion(string(out)), nil
}

// parseVersion finds the version in what a program says of itself.
func parseVersion(out string) string {
	words := strings.FieldsFunc(out, func(r rune) bool { return strings.ContainsRune(" \t\n/:,", r) })
	i := slices.IndexFunc(words, func(w string) bool {
		w = strings.TrimPrefix(w, "v")
		return strings.Contains(w, ".") && w[0] >= '0' && w[0] <= '9'
	})
	if i < 0 {
		return "unknown"
	}
	return strings.TrimPrefix(words[i], "v")
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// base is the environment that all peers have.
func base(j Job) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + j.Scratch, "TMPDIR=" + j.Scratch, "LANG=C.UTF-8"}
	if j.Server.CA != "" {
		env = append(env, "SSL_CERT_FILE="+j.Server.CA)
	}
	switch j.Server.Protocol {
	case servers.Hub:
		return append(env, "HF_ENDPOINT="+j.URL, "HF_HOME="+j.Target, "HF_HUB_DISABLE_XET=1", // our hub stores by LFS
			"HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_UPDATE_CHECK=1")
	case servers.GCS:
		return append(env, "STORAGE_EMULATOR_HOST="+j.URL)
	}
	env = append(env, "AWS_ENDPOINT_URL="+j.URL, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
	if !j.Server.Anonymous {
		env = append(env, "AWS_ACCESS_KEY_ID="+servers.AccessKey, "AWS_SECRET_ACCESS_KEY="+servers.SecretKey)
	}
	return env
}
