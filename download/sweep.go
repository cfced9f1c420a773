package download

import (
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// deadAfter is the age at which a partial file that nobody goes on with is removed.
const deadAfter = 7 * 24 * time.Hour

// sweep removes what killed processes left behind: journals without a partial file, also those
// that were about to be put in place, and old partial files that are not of the given files, or
// of a run that kept to itself. It is called with the lock held, where there is one, and what it
// cannot remove stays.
func sweep(state *os.Root, files []source.File, now time.Time) {
	wanted := make(map[string]bool, len(files))
	for _, f := range files {
		wanted[stem(f.Path)] = true
	}
	entries, err := fs.ReadDir(state.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), aloneSuffix) && now.Sub(info.ModTime()) > deadAfter {
			_ = state.RemoveAll(e.Name())
			continue
		}
		base, isPartial := strings.CutSuffix(strings.TrimSuffix(e.Name(), newSuffix), partialSuffix)
		base, isJournal := strings.CutSuffix(base, journalSuffix)
		if wanted[base] || !isPartial && !isJournal {
			continue
		}
		info, ok := regular(state, base+partialSuffix)
		if !ok || now.Sub(info.ModTime()) > deadAfter {
			_ = state.Remove(e.Name())
		}
	}
}
