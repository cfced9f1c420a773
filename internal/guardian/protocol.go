package guardian

import (
	"bytes"
	"encoding/json"
)

// The descriptors of a guardian beyond its standard ones, which are the command's.
const (
	controlFD = 3 // from the host: an order, then commands, one per line
	statusFD  = 4 // to the host: reports, one per line
)

// marker is the environment variable that makes a process a guardian.
const marker = "SPINUP_GUARDIAN"

// An Order is a command to be run under guard.
type Order struct {
	Path    string   // of the program, as execve takes it
	Args    []string // all arguments, the program's name included
	Env     []string // "key=value", complete: nothing is inherited
	Dir     string   // "" means the host's
	Vital   []string // a descendant whose command line contains one of these must not end
	Scratch string   // a folder that is removed when nothing is left; "" means none
}

// raw is text that JSON must not touch: paths and environments need not be UTF-8.
type raw []byte

type wireOrder struct {
	Path, Dir raw
	Scratch   raw
	Args, Env []raw
	Vital     []raw
}

func (o Order) encode() ([]byte, error) {
	line, err := json.Marshal(wireOrder{
		Path: raw(o.Path), Dir: raw(o.Dir), Args: raws(o.Args), Env: raws(o.Env), Vital: raws(o.Vital), Scratch: raw(o.Scratch),
	})
	return append(line, '\n'), err
}

func decodeOrder(line []byte) (Order, error) {
	var w wireOrder
	err := json.Unmarshal(line, &w)
	return Order{
		Path: string(w.Path), Dir: string(w.Dir), Args: texts(w.Args), Env: texts(w.Env), Vital: texts(w.Vital), Scratch: string(w.Scratch),
	}, err
}

func raws(in []string) []raw {
	out := make([]raw, len(in))
	for i, s := range in {
		out[i] = raw(s)
	}
	return out
}

func texts(in []raw) []string {
	out := make([]string, len(in))
	for i, b := range in {
		out[i] = string(b)
	}
	return out
}

// report is one line from the guardian. One field is set.
type report struct {
	Started int       `json:"started,omitempty"` // pid of the command
	Failed  *failure  `json:"failed,omitempty"`  // it could not be started
	Exit    *int      `json:"exit,omitempty"`    // the command ended
	Lost    *Death    `json:"lost,omitempty"`    // a vital descendant ended
	Tree    []Process `json:"tree,omitempty"`    // all descendants, after each change
	Gone    bool      `json:"gone,omitempty"`    // nothing is left; the last report
	Left    []int     `json:"left,omitempty"`    // what could not be killed; the last report
}

// failure says why there is no command. Errno is 0 when it was not the system's word.
type failure struct {
	Errno   int
	Message string
}

// A Death is the end of a process.
type Death struct {
	PID  int
	Name string // its command line; "" for the command itself
	Exit int    // its code, 128 and the signal when one ended it, or -1 when unknown
}

// A Process is one process, not a later one of the same number.
type Process struct {
	PID   int
	Start uint64 // clock ticks since boot
}

// lines splits what a pipe yields.
type lines struct{ pending []byte }

func (l *lines) add(chunk []byte) { l.pending = append(l.pending, chunk...) }

func (l *lines) next() (line []byte, ok bool) {
	line, rest, ok := bytes.Cut(l.pending, []byte("\n"))
	if ok {
		l.pending = rest
	}
	return line, ok
}
