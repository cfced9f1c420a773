package bench

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

// A Report is written as text while it grows, and as Markdown in the end.
type Report struct {
	Out io.Writer
	Now io.Writer // what happens; no part of the report

	markdown bytes.Buffer
}

// Intro tells when, on what machine and by which command it was made.
func (r *Report) Intro(command string) {
	r.Line("%s, %s: `%s`\n", time.Now().Format("2006-01-02"), Machine(), command)
}

// Progress tells what happens.
func (r *Report) Progress(format string, args ...any) { fmt.Fprintf(r.Now, format+"\n", args...) }

// Line adds a line.
func (r *Report) Line(format string, args ...any) {
	fmt.Fprintf(r.Out, format+"\n", args...)
	fmt.Fprintf(&r.markdown, format+"\n", args...)
}

// Table adds a table.
func (r *Report) Table(t Table) {
	t.Text(r.Out)
	fmt.Fprintln(r.Out)
	t.Markdown(&r.markdown)
	r.markdown.WriteString("\n")
}

// Save writes it as Markdown to file; "" does nothing.
func (r *Report) Save(file string) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, r.markdown.Bytes(), 0o600)
}
