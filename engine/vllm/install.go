package vllm

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
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
	path, from := e.Path, "vllm.Engine.Path"
	if path == "" {
		path, from = os.Getenv(PathVariable), PathVariable
	}
	if path == "" {
		path, from = "vllm", "PATH"
	}
	found, err := exec.LookPath(path)
	if err != nil && path == e.Path && filepath.Base(path) == path {
		return install{path: path}, nil // a name for the machine of a launcher's, which is not this one
	}
	if err != nil {
		return install{}, &lifecycle.Error{
			Op: "vllm.Command", Kind: lifecycle.NotFound, Target: path + " (from " + from + ")",
			Hint: installHint, Err: err,
		}
	}
	abs, err := filepath.Abs(found)
	if err != nil {
		return install{}, &lifecycle.Error{Op: "vllm.Command", Kind: lifecycle.NotFound, Target: found, Hint: installHint, Err: err}
	}
	return install{path: abs, pkg: packageOf(abs)}, nil
}

// packageOf finds the Python package behind the program: its script names the
// interpreter, beside which the packages lie.
func packageOf(program string) string {
	prefixes := []string{filepath.Dir(filepath.Dir(program))}
	if target, err := filepath.EvalSymlinks(program); err == nil {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(target)))
	}
	if python := interpreter(program); python != "" {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(python)))
	}
	prefixes = append(prefixes, "/usr/local", "/usr")
	for _, prefix := range prefixes {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			dirs, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3*", packages)) // the pattern is well-formed
			for _, dir := range dirs {
				if pkg := packageIn(dir); pkg != "" {
					return pkg
				}
			}
		}
	}
	return ""
}

// packageIn returns the package in a folder of packages, following an editable install.
func packageIn(dir string) string {
	if isPackage(filepath.Join(dir, "vllm")) {
		return filepath.Join(dir, "vllm")
	}
	links, _ := filepath.Glob(filepath.Join(dir, "*vllm*.pth")) // the pattern is well-formed
	for _, link := range links {
		text, err := os.ReadFile(link) //nolint:gosec // a file of the installation
		if err != nil {
			continue
		}
		if pkg := filepath.Join(strings.TrimSpace(string(text)), "vllm"); isPackage(pkg) {
			return pkg
		}
	}
	return ""
}

func isPackage(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "engine", "arg_utils.py")) //nolint:gosec // a file of the installation
	return err == nil
}

// pythonPath matches the interpreter's path in a script's first lines, also where it is too
// long for a #! line and stands in an exec.
var pythonPath = regexp.MustCompile(`(/[^\s"']*/bin/(?:python|pypy)[0-9.]*)`)

func interpreter(script string) string {
	f, err := os.Open(script) //nolint:gosec // the program that the caller named
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for range 4 {
		if !lines.Scan() {
			break
		}
		if m := pythonPath.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	return ""
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
