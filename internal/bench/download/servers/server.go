//go:build linux

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What servers speak.
const (
	S3  = "s3"
	GCS = "gcs"
	Hub = "hub"
)

// Names within a server.
const (
	Bucket    = "bench"
	AccessKey = "benchmark"
	SecretKey = "benchmark-secret"
)

// TLS is the end of the name of a server that has a certificate of its own authority.
const TLS = "-tls"

// patience is how long a server may take until it listens.
const patience = 30 * time.Second

// A Server offers one set as Bucket/set.Name/… or as the repository bench/set.Name.
type Server struct {
	Name      string // "nginx", "versitygw", "minio", "gcs", "hub", with "-tls" where it has a certificate
	Protocol  string // one of the constants
	Anonymous bool   // no request is signed
	CA        string // the file of the authority of its certificate, or ""
	Ports     []Port // the first is the one that clients are told of

	// PID is that of the program that sends the files.
	PID int

	url  string
	log  string // a line for each request, or ""
	stop []func()
}

// A Port is where a server listens.
type Port struct {
	Addr   string // "127.0.0.1:PORT"
	Socket string // the same as a unix socket, that reaches into other network namespaces; or ""
}

// newServer returns a server of S3 that is still to be started, with a certificate in dir or not.
func newServer(name, dir string, tls bool) (*Server, error) {
	s := &Server{Name: name, Protocol: S3}
	if !tls {
		return s, nil
	}
	var err error
	s.Name += TLS
	s.CA, err = certificate(dir)
	return s, err
}

func (s *Server) scheme() string { return scheme(s.CA != "") }

func scheme(secure bool) string {
	if secure {
		return "https://"
	}
	return "http://"
}

// URL is what clients are told.
func (s *Server) URL() string { return s.url }

// Close ends the server.
func (s *Server) Close() {
	for _, stop := range slices.Backward(s.stop) {
		stop()
	}
}

// start runs a program that ends with the server, or with this process.
func (s *Server) start(cmd *exec.Cmd) error {
	var out strings.Builder
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.PID = cmd.Process.Pid
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it is ended below
		close(exited)
	}()
	s.stop = append(s.stop, func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may be gone
		select {
		case <-exited:
		case <-time.After(5 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-exited
		}
	})
	for _, p := range s.Ports {
		if err := listening(p.Addr, exited); err != nil {
			s.Close()
			return fmt.Errorf("%s: %w: %s", cmd.Path, err, out.String())
		}
	}
	return nil
}

// listening waits until somebody accepts connections at addr.
func listening(addr string, exited <-chan struct{}) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return errors.New("it exited")
		case <-limit.C:
			return errors.New("it does not listen at " + addr)
		case <-tick.C:
		}
		if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil { //nolint:noctx // bounded
			return c.Close()
		}
	}
}

// freeAddr returns an address of loopback where nobody listens.
func freeAddr(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
