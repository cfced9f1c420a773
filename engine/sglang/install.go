package sglang

import (
	"path/filepath"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/pysource"
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
	path, err := driver.Program{
		Op: "sglang.Command", Path: e.Path, Field: "sglang.Engine.Path", Variable: PathVariable, Name: "sglang", Hint: installHint,
	}.Find()
	if err != nil || !filepath.IsAbs(path) {
		return install{path: path}, err
	}
	return install{path: path, pkg: pysource.Package(path, "sglang", "srt/server_args.py")}, nil
}
