package compilecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spinup-llm/spinup/source"
)

// indexName is the first entry of a pack.
const indexName = "index.json"

// maxIndex bounds what is read of an index, in bytes: some 100,000 files.
const maxIndex = 32 << 20

// index is what a pack says of itself.
type index struct {
	Format int    `json:"format"`
	Key    Key    `json:"key"`
	Files  []file `json:"files"`
}

// file is one of a pack.
type file struct {
	Path   string `json:"path"` // with slashes, below the folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Contents is what a pack holds.
type Contents struct {
	Files int
	Bytes int64 // unpacked
}

func (x *index) contents() Contents {
	c := Contents{Files: len(x.Files)}
	for _, f := range x.Files {
		c.Bytes += f.Size
	}
	return c
}

// readIndex reads and checks the index of a pack for key.
func readIndex(r io.Reader, key Key) (*index, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxIndex+1))
	if err != nil {
		return nil, err
	}
	var x index
	switch err := json.Unmarshal(data, &x); {
	case len(data) > maxIndex:
		return nil, errors.New("its index is too long")
	case err != nil:
		return nil, fmt.Errorf("its index: %w", err)
	case x.Format != format:
		return nil, fmt.Errorf("its form is %d, not %d", x.Format, format)
	}
	if part := key.Differs(x.Key); part != "" {
		return nil, fmt.Errorf("it was made for another %s", part)
	}
	for _, f := range x.Files {
		if err := source.CheckPath(f.Path); err != nil {
			return nil, err
		}
		if f.Size < 0 {
			return nil, fmt.Errorf("the size of %s is negative", f.Path)
		}
	}
	return &x, nil
}
