package safetensors

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A File is an open safetensors file. Its methods are safe for concurrent use.
type File struct {
	Path    string
	Tensors map[string]Info
	data    int64 // where the tensors' bytes begin
	file    *os.File
}

// Open reads and checks the header of the file at path. The caller closes the File.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &lifecycle.Error{
			Op: "safetensors.Open", Kind: lifecycle.MissingFile, Target: path, Err: fs.ErrNotExist,
			Hint: "download the model again: a file of its weights is missing",
		}
	}
	if err != nil {
		return nil, &lifecycle.Error{Op: "safetensors.Open", Kind: lifecycle.Unavailable, Target: path, Err: err}
	}
	out := &File{Path: path, file: f}
	if err := out.readHeader(); err != nil {
		return nil, errors.Join(corrupt("safetensors.Open", path, err), f.Close())
	}
	return out, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func (f *File) readHeader() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	prefix := make([]byte, prefixSize)
	if _, err = f.file.ReadAt(prefix, 0); err != nil {
		return noEOF(err)
	}
	n, err := headerSize(prefix, info.Size())
	if err != nil {
		return err
	}
	header := make([]byte, n)
	if _, err = f.file.ReadAt(header, prefixSize); err != nil {
		return noEOF(err)
	}
	f.data = prefixSize + n
	f.Tensors, err = parseHeader(header, info.Size()-f.data)
	return err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func corrupt(op, path string, err error) error {
	return &lifecycle.Error{
		Op: op, Kind: lifecycle.Corrupt, Target: path, Err: err,
		Hint: "delete the file and download it again",
	}
}
