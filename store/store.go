package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// bucket is the only one there is.
const bucket = "spinup"

// Files are where the bytes come from: a [source.Source], or a [download.Reader].
type Files interface {
	// Open is as that of source.Source.
	Open(ctx context.Context, f source.File, off, n int64) (io.ReadCloser, error)
}

// A Store is an S3 service on loopback. Make one with Listen. Its fields are not to be changed,
// and its methods are safe for concurrent use.
type Store struct {
	Endpoint             *url.URL // http://127.0.0.1:PORT
	AccessKey, SecretKey string

	server   *http.Server
	running  sync.WaitGroup     // the server and its connections
	end      context.CancelFunc // of all requests, before the server's
	model    atomic.Pointer[model]
	modified time.Time
}

// A model is what Serve was given.
type model struct {
	prefix string
	files  []source.File // sorted by path
	from   Files
}

// Listen returns a Store that answers, but has no objects until Serve.
func Listen(ctx context.Context) (*Store, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "store.Listen", Kind: lifecycle.Invalid, Target: "127.0.0.1:0", Err: err, Hint: "let this program listen on loopback",
		}
	}
	s := &Store{
		Endpoint:  &url.URL{Scheme: "http", Host: l.Addr().String()},
		AccessKey: rand.Text(), SecretKey: rand.Text(), // 128 bits or more each
		modified: time.Now(),
	}
	requests, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	s.server = &http.Server{
		Handler:           http.HandlerFunc(s.handle),
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // clients that go away are no news
	}
	s.server.ConnState = func(c net.Conn, state http.ConnState) {
		switch state { //nolint:exhaustive // what is between the two does not matter
		case http.StateNew:
			s.running.Add(1)
			if requests.Err() != nil {
				_ = c.Close() // it was accepted before the server's Close, which may not have known it
			}
		case http.StateClosed:
			s.running.Done()
		}
	}
	s.running.Go(func() { _ = s.server.Serve(l) }) // it ends with Close
	return s, nil
}

var plain = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// Serve makes the files of man the objects of the Store, and returns the URI that an engine
// is to load. It is the same for the same revision, and another for another: engines keep
// small files by it.
func (s *Store) Serve(man *source.Manifest, from Files) *url.URL {
	sum := sha256.Sum256([]byte(man.URI + "\n" + man.Revision))
	prefix := plain.ReplaceAllString(path.Base(man.URI), "-") + "-" + hex.EncodeToString(sum[:8])
	s.model.Store(&model{prefix: prefix + "/", files: man.Files, from: from})
	return &url.URL{Scheme: "s3", Host: bucket, Path: "/" + prefix}
}

// Close cuts what is under way and returns when nothing runs any more.
func (s *Store) Close() error {
	s.end()
	err := s.server.Close()
	s.running.Wait()
	return err
}
