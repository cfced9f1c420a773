package spinup

import (
	"strings"

	"github.com/spinup-llm/spinup/internal/strictyaml"
)

// Application is one entry of a Ray Serve configuration file.
type Application struct {
	Name        string          `yaml:"name"`         // "" means "default"
	RoutePrefix string          `yaml:"route_prefix"` // "" means "/"
	ImportPath  string          `yaml:"import_path"`  // ray.serve.llm:build_openai_app, or ""
	Args        ApplicationArgs `yaml:"args"`
	RuntimeEnv  RuntimeEnv      `yaml:"runtime_env"`

	// Warnings are what Load accepted and will have no effect, or not the one that Ray gives
	// it: a line each, with file, line, column and path. Those about the file as a whole are
	// with its first application.
	Warnings []string `yaml:"-"`

	origin *origin // nil when it was made in Go
}

// ApplicationArgs are the arguments of build_openai_app. In YAML an entry of llm_configs may
// also be the path of a file with one LLMConfig, relative to the file that names it.
type ApplicationArgs struct {
	LLMConfigs              []*LLMConfig   `yaml:"llm_configs"`
	IngressClsConfig        map[string]any `yaml:"ingress_cls_config"`        // accepted with a warning
	IngressDeploymentConfig map[string]any `yaml:"ingress_deployment_config"` // accepted with a warning
}

// origin remembers where in a file an application and its configs stood, so that problems
// found later have positions too.
type origin struct {
	report  *strictyaml.Report
	path    string
	configs map[*LLMConfig]string // to the path
}

func newOrigin(r *strictyaml.Report, path string, app *Application) *origin {
	o := &origin{report: r, path: path, configs: map[*LLMConfig]string{}}
	for i, c := range app.Args.LLMConfigs {
		o.configs[c] = join(path, "args.llm_configs"+index(i))
	}
	return o
}

// covers reports whether path is part of the application, or of the file and this is its
// first one.
func (o *origin) covers(path string, first bool) bool {
	return strings.HasPrefix(path, o.path) || first && !strings.HasPrefix(path, "applications[")
}

// join appends a name to a path; either may be empty.
func join(path, name string) string {
	if path == "" {
		return name
	}
	if name == "" || name[0] == '[' {
		return path + name
	}
	return path + "." + name
}
