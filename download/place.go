package download

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path"
)

// stateDir holds, below the directory of the files, all that is not a finished file: the
// lock of the one process that writes, partial files with their journals, and the list of
// verified files. Removing it loses no finished file, only the knowledge that it is right.
const (
	stateDir     = ".spinup"
	lockName     = stateDir + "/lock"
	verifiedName = stateDir + "/verified"

	partialSuffix = ".partial"
	journalSuffix = ".journal"

	dirMode  = 0o755
	fileMode = 0o644
)

// stem is where the partial file and the journal of a path are kept: a flat, unique name
// that a person still recognises.
func stem(file string) string {
	sum := sha256.Sum256([]byte(file))
	base := path.Base(file)
	if len(base) > 100 {
		base = base[len(base)-100:]
	}
	return stateDir + "/" + hex.EncodeToString(sum[:8]) + "-" + base
}

func partialName(file string) string { return stem(file) + partialSuffix }
func journalName(file string) string { return stem(file) + journalSuffix }

// replace writes a file that readers see either as it was or as it is now.
func replace(root *os.Root, name string, data []byte) error {
	next := name + ".new"
	if err := root.WriteFile(next, data, fileMode); err != nil {
		return err
	}
	return root.Rename(next, name)
}

// regular returns what is known about a plain file; links are not followed, and all else
// counts as missing.
func regular(root *os.Root, name string) (fs.FileInfo, bool) {
	info, err := root.Lstat(name)
	return info, err == nil && info.Mode().IsRegular()
}
