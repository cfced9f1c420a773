package spinup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 1 << 20

// fileHint is for a file that is something else altogether.
const fileHint = "give a YAML file with an LLMConfig or applications"

// serveFile is what `serve deploy` reads.
type serveFile struct {
	Applications []Application `yaml:"applications"`
}

// Load reads a configuration: a Ray Serve file (applications:) or a bare LLMConfig, which
// becomes the one application. name is for positions, and paths in the file are relative to
// its folder. The error joins one [*lifecycle.Error] of kind Invalid per problem, with line,
// column and a hint; they are those of [LLMConfig.Validate] and more. Only a callback_class
// that is not registered is left to [New]: a program may register it later, or give a value.
func Load(name string, r io.Reader) ([]Application, error) {
	data, err := readConfig(r)
	if err != nil {
		return nil, &lifecycle.Error{Op: "spinup.Load", Kind: lifecycle.Invalid, Target: name, Err: err, Hint: fileHint}
	}
	l := &loader{dir: filepath.Dir(name), report: &strictyaml.Report{Wanted: fileHint}}
	apps := l.decode(strictyaml.Parse(name, data, l.report))
	l.check(apps)
	if err := l.report.Err("spinup.Load"); err != nil {
		return nil, err
	}
	for i := range apps {
		apps[i].Warnings = l.report.Warnings(func(path string) bool {
			return apps[i].origin.covers(path, i == 0)
		})
	}
	return apps, nil
}

func readConfig(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("the file has more than %d bytes", maxConfig)
	}
	return data, err
}

type loader struct {
	dir    string
	report *strictyaml.Report
}

// decode fills applications from a document of either form.
func (l *loader) decode(root *strictyaml.Value) []Application {
	d := &strictyaml.Decoder{
		Report: l.report,
		Unused: unusedFields(),
		Include: map[reflect.Type]func(string, *strictyaml.Place) *strictyaml.Value{
			reflect.TypeFor[LLMConfig](): l.include,
		},
		Hints: map[reflect.Type]map[string]string{
			reflect.TypeFor[EngineOptions](): {"max_model_len": lengthHint},
		},
	}
	if root == nil {
		return nil
	}
	switch file, stray := form(root); {
	case stray != "":
		l.report.Fail(stray, "write applications: with an entry that has args: with llm_configs:", "it stands at the top of the file")
		return nil
	case file:
		var f serveFile
		d.Decode(root, &f)
		for i := range f.Applications {
			app := &f.Applications[i]
			app.origin = newOrigin(l.report, "applications"+index(i), app)
		}
		if len(f.Applications) == 0 {
			l.report.Fail("applications", "give at least one", "there is none")
		}
		return f.Applications
	}
	cfg := new(LLMConfig)
	d.Include = nil
	d.Decode(root, cfg)
	app := Application{Args: ApplicationArgs{LLMConfigs: []*LLMConfig{cfg}}}
	app.origin = &origin{report: l.report, configs: map[*LLMConfig]string{cfg: ""}}
	return []Application{app}
}

// form tells the two forms of a file apart by its keys. A file of applications is known by
// a misspelt key too. stray is a key of an application that stands at the top.
func form(root *strictyaml.Value) (file bool, stray string) {
	for key := range root.Keys {
		switch key {
		case "llm_configs", "import_path", "args":
			stray = key
		default:
			file = file || len(nearest.Of(key, []string{"applications"}, 1)) > 0
		}
	}
	if file {
		return true, ""
	}
	return false, stray
}

// include reads the file of an LLMConfig that an entry of llm_configs names.
func (l *loader) include(path string, at *strictyaml.Place) *strictyaml.Value {
	file := path
	if !filepath.IsAbs(file) {
		file = filepath.Join(l.dir, file)
	}
	data, err := readFile(file)
	if err == nil {
		return strictyaml.Include(file, data, l.report, at)
	}
	if p, ok := errors.AsType[*os.PathError](err); ok {
		err = p.Err // the message names the file anyway
	}
	l.report.Fail(at.Path(), "give the path of a file with one LLMConfig, relative to the file that names it", "%s cannot be read: %s", file, err)
	return nil
}

// readFile reads a regular file only: a pipe in its place could block for ever.
func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(path) //nolint:gosec // the configuration names it on purpose
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return readConfig(f)
}

// nulls sets what Ray takes a null for where a field that is left out means something else.
func (l *loader) nulls(path string, cfg *LLMConfig) {
	if cfg == nil {
		return
	}
	if l.report.HasNull(join(path, "log_engine_metrics")) {
		cfg.LogEngineMetrics = new(false)
	}
	if lora := cfg.LoraConfig; lora != nil && l.report.HasNull(join(path, "lora_config.download_timeout_s")) {
		lora.DownloadTimeout = new(Seconds(0))
	}
}

// check adds what is wrong beyond types. That a callback is not registered counts only
// beside other problems.
func (l *loader) check(apps []Application) {
	for i := range apps {
		if p := apps[i].ImportPath; p != "" && !supported(p) {
			args := apps[i].origin.path + ".args"
			l.report.Drop(func(path string) bool { return strings.HasPrefix(path, args) }) // they are for another builder
		}
	}
	s := newAppsChecker()
	s.later = new([]func())
	for i := range apps {
		for cfg, path := range apps[i].origin.configs {
			l.nulls(path, cfg)
			if cfg != nil && cfg.CallbackConfig.Class == "" && len(cfg.CallbackConfig.Kwargs) > 0 {
				l.report.Warn(join(path, kwargsPath), "it has no effect without a callback_class")
			}
		}
		s.application(l.report, &apps[i], "")
	}
	if !l.report.Empty() {
		for _, f := range *s.later {
			f()
		}
	}
}
