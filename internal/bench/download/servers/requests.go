//go:build linux

package servers

import (
	"bytes"
	"os"
	"path/filepath"
)

// accessLog is the name of the file in which a server with TLS has a line for each request: what a link
// counts is outside TLS.
const accessLog = "access.log"

// logs notes that the server writes an access log below dir, and returns its path.
func (s *Server) logs(dir string) string {
	s.log = filepath.Join(dir, accessLog)
	return s.log
}

// Requests is how many the server has answered so far, or 0 where it writes no log.
func (s *Server) Requests() (int64, error) {
	if s.log == "" {
		return 0, nil
	}
	data, err := os.ReadFile(s.log)
	return int64(bytes.Count(data, []byte("\n"))), err
}
