//go:build linux

package servers

import (
	"bufio"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
)

// Repository is the id of a set's repository.
func Repository(set *dataset.Set) string { return "bench/" + set.Name }

// Repo serves a set as a repository: this program, called with "hub", answers what is small,
// nginx sends what is large. cdn is the origin that clients are sent to for that; "" means
// nginx's own.
func Repo(ctx context.Context, nginx, dir string, set *dataset.Set, cdn string) (*Server, error) {
	s := &Server{Name: "hub", Protocol: Hub, Anonymous: true}
	blobs := filepath.Join(dir, "blobs")
	if err := os.MkdirAll(blobs, 0o755); err != nil { //nolint:gosec // nginx reads it
		return nil, err
	}
	if err := s.nginx(ctx, nginx, &nginxConf{Dir: dir, Data: blobs}); err != nil {
		return nil, err
	}
	if cdn == "" {
		cdn = "http://" + s.Ports[0].Addr
	}
	socket := filepath.Join(dir, "hub.sock")
	if err := s.hub(ctx, "-id", Repository(set), "-data", set.Dir, "-cdn", cdn, "-blobs", blobs, "-socket", socket); err != nil {
		s.Close()
		return nil, err
	}
	u, err := url.Parse(s.url)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.Ports = append([]Port{{Addr: u.Host, Socket: socket}}, s.Ports...)
	return s, nil
}

// hub starts the hub and learns its address.
func (s *Server) hub(ctx context.Context, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"hub"}, args...)...) //nolint:gosec // this program
	if _, err = cmd.StdinPipe(); err != nil {                                  // it ends with its input
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err = s.start(cmd); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if s.url = strings.TrimSpace(line); err != nil || s.url == "" {
		return errors.New("the hub did not start")
	}
	return nil
}
