//go:build !linux

package local

// renameNew renames a file where there is none of that name, or fails with fs.ErrExist.
func renameNew(from, to string) error { return claim(from, to) }
