//go:build linux

package servers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"google.golang.org/api/option"
)

// Gcs serves a copy of a set below dir with fake-gcs-server, which checks no credentials.
// origin is where it tells clients that objects are; "" means where it listens.
func Gcs(ctx context.Context, program, dir string, set *dataset.Set, origin string, secure bool) (*Server, error) {
	s, err := newServer("gcs", dir, secure)
	if err != nil {
		return nil, err
	}
	s.Protocol, s.Anonymous = GCS, true
	port, data, err := s.folder(ctx, dir)
	if err != nil {
		return nil, err
	}
	host, number, err := net.SplitHostPort(port.Addr)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "-host", host, "-port", number, //nolint:gosec // the peer's path
		"-backend", "filesystem", "-filesystem-root", data, "-external-url", cmp.Or(origin, s.url))
	if !secure {
		cmd.Args = append(cmd.Args, "-scheme", "http", "-log-level", "error")
	} else if err := s.secureGCS(cmd, dir); err != nil {
		return nil, err
	}
	if err := errors.Join(s.start(cmd), s.relay(ctx, port)); err != nil {
		return nil, err
	}
	if err := s.uploadGCS(ctx, set); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// secureGCS gives the program the certificate in dir, and a file to log to.
func (s *Server) secureGCS(cmd *exec.Cmd, dir string) error {
	cmd.Args = append(cmd.Args, "-scheme", "https", "-cert-location", s.CA, "-private-key-location", filepath.Join(dir, keyName))
	f, err := os.Create(s.logs(dir))
	if err != nil {
		return err
	}
	cmd.Stderr, s.stop = f, append(s.stop, func() { _ = f.Close() })
	return nil
}

// relay makes the socket of a port for a server that listens on none.
func (s *Server) relay(ctx context.Context, port Port) error {
	l, err := new(net.ListenConfig).Listen(ctx, "unix", port.Socket)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = new(proxy.Proxy).Serve(ctx, l, port.Addr) // what is wrong, clients notice
	}()
	s.stop = append(s.stop, func() {
		cancel()
		<-served
	})
	return nil
}

func (s *Server) uploadGCS(ctx context.Context, set *dataset.Set) error {
	caller, err := s.client()
	if err != nil {
		return err
	}
	defer caller.CloseIdleConnections()
	client, err := storage.NewClient(ctx, option.WithHTTPClient(caller),
		option.WithEndpoint(s.url+"/storage/v1/"), storage.WithDisabledClientMetrics())
	if err != nil {
		return err
	}
	bucket := client.Bucket(Bucket)
	if err := bucket.Create(ctx, "bench", nil); err != nil {
		return err
	}
	for _, f := range set.Files {
		if err := putGCS(ctx, bucket.Object(set.Name+"/"+f.Path), filepath.Join(set.Dir, filepath.FromSlash(f.Path))); err != nil {
			return fmt.Errorf("upload of %s: %w", f.Path, err)
		}
	}
	return nil
}

func putGCS(ctx context.Context, object *storage.ObjectHandle, path string) error {
	f, err := os.Open(path) //nolint:gosec // of the benchmark
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	w := object.NewWriter(ctx)
	w.ChunkSize = 0 // in one request
	_, err = io.Copy(w, f)
	return errors.Join(err, w.Close())
}
