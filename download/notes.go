package download

import (
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/spinup-llm/spinup/download/internal/journal"
)

// notes is the list of verified files. Whoever holds the lock of the directory adds to it.
type notes struct {
	mu   sync.Mutex
	file *os.File
}

// openNotes writes the list anew, with what a plan found: without repetitions, and without
// the torn line that a kill may have left.
func openNotes(state *os.Root, found []journal.Verified) (*notes, error) {
	records := readVerified(state)
	if records == nil {
		records = map[string]journal.Verified{}
	}
	for _, v := range found {
		records[v.Path] = v
	}
	var data []byte
	for _, file := range slices.Sorted(maps.Keys(records)) {
		data = append(data, journal.Encode(records[file])...)
	}
	if err := replace(state, verifiedName, data); err != nil {
		return nil, err
	}
	f, err := state.OpenFile(verifiedName, os.O_WRONLY|os.O_APPEND, fileMode)
	if err != nil {
		return nil, err
	}
	return &notes{file: f}, nil
}

func (n *notes) add(v journal.Verified) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := n.file.Write(journal.Encode(v))
	return err
}

func (n *notes) close() { _ = n.file.Close() } // what is lost is hashed again
