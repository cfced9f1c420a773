package engine

import (
	"bufio"
	"io"
	"strings"
	"sync"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	maxLine  = 64 << 10 // bytes of a line that the parser sees; the rest is dropped
	maxShown = 2 << 10  // bytes of a line that a log or an error shows
	tailSize = 8        // lines of output that an error shows
)

// output feeds the lines of a process to its parser and keeps the last of them.
type output struct {
	from  *follower     // set before drain
	ended chan struct{} // closed at the end of the output

	mu     sync.Mutex
	parser Parser   // set before drain
	tail   []string // not redacted
}

func newOutput() *output { return &output{ended: make(chan struct{})} }

// use makes p read what comes from now on.
func (o *output) use(p Parser) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parser = p
}

// drain reads to the end and closes. each gets every line and what it meant.
func (o *output) drain(each func(line string, events []lifecycle.Event)) {
	defer close(o.ended)
	defer func() { _ = o.from.Close() }()
	eachLine(o.from, func(line []byte) {
		o.mu.Lock()
		events := o.parser.Parse(line)
		text := string(line)
		o.tail = append(o.tail[max(0, len(o.tail)-tailSize+1):], text)
		o.mu.Unlock()
		each(text, events)
	})
}

// forget has the parser take back a failure, where it can.
func (o *output) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f, ok := o.parser.(Forgetter); ok {
		f.Forget()
	}
}

// explain asks the parser, which may return nil.
func (o *output) explain(exit int) *lifecycle.Error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.parser.Explain(exit)
}

// last returns the last lines, or "", as an addition to a message.
func (o *output) last(redact func(string) string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.tail) == 0 {
		return ""
	}
	lines := make([]string, len(o.tail))
	for i, l := range o.tail {
		lines[i] = shown(redact(l))
	}
	return "; last output: " + strings.Join(lines, " | ")
}

// shown makes a redacted line fit for logs and errors.
func shown(line string) string {
	if len(line) > maxShown {
		line = line[:maxShown] + " …"
	}
	return strings.ToValidUTF8(line, "?")
}

// eachLine calls f for each line that is not empty. Newlines and carriage returns end one;
// so does the end of r, be it an error. The slice is valid during the call.
func eachLine(r io.Reader, f func([]byte)) {
	br := bufio.NewReader(r)
	line := make([]byte, 0, 1<<10)
	for {
		b, err := br.ReadByte()
		end := err != nil || b == '\n' || b == '\r'
		switch {
		case end && len(line) > 0:
			f(line)
			line = line[:0]
		case !end && len(line) < maxLine:
			line = append(line, b)
		}
		if err != nil {
			return
		}
	}
}
