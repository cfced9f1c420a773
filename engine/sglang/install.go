package sglang

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spinup-llm/spinup/internal/pysource"
	"github.com/spinup-llm/spinup/lifecycle"
)

// PathVariable names the environment variable that points at the sglang program.
const PathVariable = "SPINUP_SGLANG"

// install is an SGLang on this machine.
type install struct {
	path string // of the sglang program
	pkg  string // the folder of the Python package; "" when it was not found
}

const installHint = "install SGLang (pip install sglang; for a machine without a GPU, internal/setup/sglang.sh of this project) " +
	"and name its program in " + PathVariable + ", or put it on PATH"

// find returns the installation that Path, SPINUP_SGLANG or PATH names, in this order.
func (e Engine) find() (install, error) {
	path, from := e.Path, "sglang.Engine.Path"
	if path == "" {
		path, from = os.Getenv(PathVariable), PathVariable
	}
	if path == "" {
		path, from = "sglang", "PATH"
	}
	found, err := exec.LookPath(path)
	if err != nil && path == e.Path && filepath.Base(path) == path {
		return install{path: path}, nil // a name for the machine of a launcher's, which is not this one
	}
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		return install{}, &lifecycle.Error{
			Op: "sglang.Command", Kind: lifecycle.NotFound, Target: path + " (from " + from + ")", Hint: installHint, Err: err,
		}
	}
	return install{path: found, pkg: pysource.Package(found, "sglang", "srt/server_args.py")}, nil
}
