package weights

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spinup-llm/spinup/internal/safetensors"
	"github.com/spinup-llm/spinup/lifecycle"
)

// file is an open safetensors file whose header has been checked.
type file struct {
	*os.File
	header *safetensors.Header
}

func openFile(path string) (*file, error) {
	f, err := os.Open(path) //nolint:gosec // the model's folder is the caller's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &lifecycle.Error{
			Op: "weights.Open", Kind: lifecycle.MissingFile, Target: path, Err: fs.ErrNotExist,
			Hint: "download the model again: a file of its weights is missing",
		}
	}
	if err != nil {
		return nil, &lifecycle.Error{Op: "weights.Open", Kind: lifecycle.Unavailable, Target: path, Err: err}
	}
	header, err := readHeader(f)
	if err != nil {
		_ = f.Close() // was only read
		return nil, corrupt(path, err)
	}
	return &file{f, header}, nil
}

func readHeader(f *os.File) (*safetensors.Header, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	first := make([]byte, 8)
	if _, err = f.ReadAt(first, 0); err != nil {
		return nil, noEOF(err)
	}
	n, err := safetensors.HeaderLen(first, info.Size())
	if err != nil {
		return nil, err
	}
	header := make([]byte, n)
	if _, err = f.ReadAt(header, int64(len(first))); err != nil {
		return nil, noEOF(err)
	}
	return safetensors.Parse(header, info.Size())
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func corrupt(path string, err error) error {
	return &lifecycle.Error{
		Op: "weights.Read", Kind: lifecycle.Corrupt, Target: path, Err: err,
		Hint: "delete the file and download it again",
	}
}
