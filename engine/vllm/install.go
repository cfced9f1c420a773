package vllm

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/pysource"
)

// PathVariable names the environment variable that points at the vllm program.
const PathVariable = "SPINUP_VLLM"

// install is a vLLM on this machine.
type install struct {
	path string // of the vllm program
	pkg  string // the folder of the Python package; "" when it was not found
}

const installHint = "install vLLM (pip install vllm; for a machine without a GPU, internal/setup/vllm.sh of this project) " +
	"and name its program in " + PathVariable + ", or put it on PATH"

// find returns the installation that Path, SPINUP_VLLM or PATH names, in this order.
func (e Engine) find() (install, error) {
	path, err := driver.Program{
		Op: "vllm.Command", Path: e.Path, Field: "vllm.Engine.Path", Variable: PathVariable, Name: "vllm", Hint: installHint,
	}.Find()
	if err != nil || !filepath.IsAbs(path) {
		return install{path: path}, err
	}
	return install{path: path, pkg: packageOf(path)}, nil
}

// packageOf finds the Python package behind the program.
func packageOf(program string) string {
	return pysource.Package(program, "vllm", "engine/arg_utils.py")
}

// packages is the folder of Python packages; "" for an editable install, whose other
// packages lie elsewhere.
func (i install) packages() string {
	if dir := filepath.Dir(i.pkg); i.pkg != "" && strings.HasSuffix(dir, "-packages") {
		return dir
	}
	return ""
}

// hasPackage reports whether a package is surely installed.
func (i install) hasPackage(name string) bool {
	if i.packages() == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(i.packages(), filepath.FromSlash(name)))
	return err == nil
}

// mayHavePackage reports whether a package is not surely missing.
func (i install) mayHavePackage(name string) bool { return i.packages() == "" || i.hasPackage(name) }

// hasPlugins reports whether other packages may add models and loaders to vLLM.
func (i install) hasPlugins() bool {
	lists, _ := filepath.Glob(filepath.Join(filepath.Dir(i.pkg), "*.dist-info", "entry_points.txt")) // the pattern is well-formed
	for _, list := range lists {
		if strings.HasPrefix(filepath.Base(filepath.Dir(list)), "vllm") {
			continue // vLLM's own
		}
		data, err := os.ReadFile(list) //nolint:gosec // a file of the installation
		if err == nil && (strings.Contains(string(data), "[vllm.general_plugins]") || strings.Contains(string(data), "[vllm.platform_plugins]")) {
			return true
		}
	}
	return false
}
