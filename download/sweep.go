package download

import (
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// deadAfter is the age at which a partial file that nobody goes on with is removed.
const deadAfter = 7 * 24 * time.Hour

// sweep removes what killed processes left behind: journals without a partial file, and
// old partial files that are not of the given files. It is called with the lock held, and
// what it cannot remove stays.
func sweep(root *os.Root, files []source.File, now time.Time) {
	wanted := make(map[string]bool, len(files))
	for _, f := range files {
		wanted[stem(f.Path)] = true
	}
	entries, err := fs.ReadDir(root.FS(), stateDir)
	if err != nil {
		return
	}
	for _, e := range entries {
		name := path.Join(stateDir, e.Name())
		base, isPartial := strings.CutSuffix(name, partialSuffix)
		base, isJournal := strings.CutSuffix(base, journalSuffix)
		if wanted[base] || !isPartial && !isJournal {
			continue
		}
		info, ok := regular(root, base+partialSuffix)
		if !ok || now.Sub(info.ModTime()) > deadAfter {
			_ = root.Remove(name)
		}
	}
}
