package journal

import (
	"encoding/json"
	"io"
)

// Verified says that a finished file had the right bytes when it had this size and time
// of modification.
type Verified struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`  // bytes
	MTime   int64  `json:"mtime"` // nanoseconds since 1970
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// ReadVerified returns the latest record of each path, and how many lines there were. A
// damaged line is passed over: what it said is verified again.
func ReadVerified(r io.Reader) (records map[string]Verified, count int) {
	records = map[string]Verified{}
	for line := range lines(r) {
		count++
		var v Verified
		if json.Unmarshal(line, &v) == nil && v.Path != "" {
			records[v.Path] = v
		}
	}
	return records, count
}
