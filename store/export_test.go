package store

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// Accepted is what the server tells of a connection that it accepts, and that ends.
func (s *Store) Accepted(c net.Conn) {
	s.server.ConnState(c, http.StateNew)
	s.server.ConnState(c, http.StateClosed)
}

// Answer answers a request for a range of a file.
func Answer(w http.ResponseWriter, header, path string, data []byte) {
	m := &model{files: []source.File{{Path: path, Size: int64(len(data))}}, from: one(data)}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://host/", http.NoBody)
	if err != nil {
		panic(err)
	}
	r.Header.Set("Range", header)
	(&Store{modified: time.Now()}).object(w, r, m, path)
}

type one []byte

func (o one) Open(_ context.Context, f source.File, off, n int64) (io.ReadCloser, error) {
	n, err := f.Clip(off, n)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(o[off : off+n])), nil
}
