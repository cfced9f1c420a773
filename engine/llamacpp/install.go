package llamacpp

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spinup-llm/spinup/lifecycle"
)

// PathVariable names the environment variable that points at the llama-server program.
const PathVariable = "SPINUP_LLAMA_SERVER"

const installHint = "install llama.cpp (its packages and releases have llama-server; for Linux on x86-64, internal/setup/llamacpp.sh " +
	"of this project) and name the program in " + PathVariable + ", or put it on PATH"

// find returns the program that Path, SPINUP_LLAMA_SERVER or PATH names, in this order.
func (e Engine) find() (string, error) {
	path, from := e.Path, "llamacpp.Engine.Path"
	if path == "" {
		path, from = os.Getenv(PathVariable), PathVariable
	}
	if path == "" {
		path, from = "llama-server", "PATH"
	}
	found, err := exec.LookPath(path)
	if err != nil && path == e.Path && filepath.Base(path) == path {
		return path, nil // a name for the machine of a launcher's, which is not this one
	}
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return "", &lifecycle.Error{
			Op: "llamacpp.Command", Kind: lifecycle.NotFound, Target: path + " (from " + from + ")", Hint: installHint, Err: err,
		}
	}
	return found, nil
}
