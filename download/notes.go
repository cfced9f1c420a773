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
// the torn line that a kill may have left. Where others may add to it at the same time, it
// is only added to, on a line of its own.
func openNotes(at *place, found []journal.Verified) (*notes, error) {
	if !at.alone() {
		if err := rewrite(at.state, found); err != nil {
			return nil, err
		}
		found = nil
	}
	f, err := at.state.OpenFile(verifiedName, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fileMode)
	if err != nil {
		return nil, err
	}
	n := &notes{file: f}
	if at.alone() {
		_, _ = f.WriteString("\n") // ends the line that a kill may have left; an empty one says nothing
	}
	for _, v := range found {
		if err := n.add(v); err != nil {
			n.close()
			return nil, err
		}
	}
	return n, nil
}

func rewrite(state *os.Root, found []journal.Verified) error {
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
	return replace(state, verifiedName, data)
}

func (n *notes) add(v journal.Verified) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err := n.file.Write(journal.Encode(v))
	return err
}

func (n *notes) close() { _ = n.file.Close() } // what is lost is hashed again
