package driver

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Program is looked for in three places.
type Program struct {
	Op       string // of errors, such as "vllm.Command"
	Path     string // what the user of the library chose; "" means Variable
	Field    string // how Path is called in errors, such as "vllm.Engine.Path"
	Variable string // of the environment; where it is empty, PATH is searched for Name
	Name     string
	Hint     string // how to install it
}

// Find returns the absolute path of the program. A bare name in Path that is not on PATH is
// returned as it is: it may be a program of another machine, a launcher's. Errors are of
// kind NotFound.
func (p Program) Find() (string, error) {
	path, from := p.Path, p.Field
	if path == "" {
		path, from = os.Getenv(p.Variable), p.Variable
	}
	if path == "" {
		path, from = p.Name, "PATH"
	}
	found, err := exec.LookPath(path)
	if err != nil && path == p.Path && filepath.Base(path) == path {
		return path, nil
	}
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return "", &lifecycle.Error{
			Op: p.Op, Kind: lifecycle.NotFound, Target: path + " (from " + from + ")", Hint: p.Hint, Err: err,
		}
	}
	return found, nil
}
