//go:build linux

// Package hubserver runs the hub of the project's tests as a program of its own, over files
// of any size: it maps them into memory and leaves the large ones to another server, as the
// real hub does. A benchmark of a hub whose bytes a test fixture sends would measure that.
package hubserver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"golang.org/x/sys/unix"
)

// Main is the program:
//
//	hub -id OWNER/NAME -data DIR -cdn ORIGIN -blobs DIR -socket PATH
//
// It commits the files of data, makes a link in blobs for each that ORIGIN has to send
// (GET /xet-bridge/ANY/SHA256), prints the hub's address, and ends with in. At socket it can
// be reached as well.
func Main(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	flags := flag.NewFlagSet("hub", flag.ContinueOnError)
	id := flags.String("id", "", "the repository")
	data := flags.String("data", "", "folder of its files")
	cdn := flags.String("cdn", "", "origin of the large files")
	blobs := flags.String("blobs", "", "folder for links to the large files")
	socket := flags.String("socket", "", "where else to listen")
	if err := flags.Parse(args); err != nil {
		return err
	}
	tb := &owner{dir: filepath.Dir(*socket)}
	defer tb.end()
	hub := hubtest.New(tb)
	hub.PageSize = 1 << 20
	if err := commit(hub, *id, *data); err != nil {
		return err
	}
	if err := link(ctx, hub.URL, *id, *data, *blobs); err != nil {
		return err
	}
	hub.PageSize, hub.CDN = 0, *cdn
	hub.Break(hubtest.Fault{Do: plain})
	l, err := new(net.ListenConfig).Listen(ctx, "unix", *socket)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, hub.URL)
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- new(proxy.Proxy).Serve(ctx, l, hub.URL[len("http://"):]) }()
	_, err = io.Copy(io.Discard, in)
	cancel()
	return errors.Join(err, <-served)
}

// plain keeps the fixture from compressing random bytes for clients that ask for it: it
// would be the slowest part of the download.
func plain(w http.ResponseWriter, r *http.Request, next http.Handler) {
	r.Header.Del("Accept-Encoding")
	next.ServeHTTP(w, r)
}

// commit puts the files of a folder into the repository.
func commit(hub *hubtest.Hub, id, dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := mapped(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		hub.Put(id, filepath.ToSlash(name), data)
		return err
	})
}

// mapped returns a file's bytes, which stay on the disk until they are needed.
func mapped(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // of the benchmark
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
}
