package download

import (
	"os"

	"github.com/spinup-llm/spinup/download/internal/journal"
)

// journals reports whether it is worth it, and possible, to go on with the file after a kill.
func (a *assembly) journals() bool {
	return a.file.Size > journalAbove && pinned(a.file) && !a.place.alone()
}

// startJournal writes a journal of segments. It comes before any change of the partial
// file, so that no journal ever speaks of bytes that are not there.
func (a *assembly) startJournal(segments []journal.Segment) error {
	a.closeJournal()
	if !a.journals() {
		return nil
	}
	data := journal.Encode(header(a.file))
	for _, s := range segments {
		data = append(data, journal.Encode(s)...)
	}
	name := journalName(a.file.Path)
	if err := replace(a.place.parts, name, data); err != nil {
		return err
	}
	var err error
	a.journal, err = a.place.parts.OpenFile(name, os.O_WRONLY|os.O_APPEND, fileMode)
	return err
}

// note tells the journal how far the part has come.
func (a *assembly) note(p *part) error {
	pos := p.pos.Load()
	if a.journal == nil || pos == p.noted {
		return nil
	}
	if pos > p.noted {
		writeBack(a.out, p.noted, pos-p.noted)
	}
	p.noted = pos
	_, err := a.journal.Write(journal.Encode(journal.Segment{Off: p.off, Len: pos - p.off, Sum: p.sum}))
	return err
}

// rewind withdraws all that the part has brought.
func (a *assembly) rewind(p *part) error {
	for o := a.ordered.Load(); ; o = a.ordered.Load() {
		if o.withdraw(p); o == a.ordered.Load() { // or the source has told of another digest meanwhile
			break
		}
	}
	a.arrival.withdraw(a)
	p.sum, p.noted = 0, a.file.Size+1
	return a.note(p)
}

func (a *assembly) closeJournal() {
	if a.journal != nil {
		_ = a.journal.Close() // the next process reads what there is
		a.journal = nil
	}
}
