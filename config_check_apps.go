package spinup

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
)

// validateApplications checks all applications, each alone and against each other. Those
// that were loaded from files get positions.
func validateApplications(apps []Application) error {
	s := newAppsChecker()
	reports := map[*strictyaml.Report]*strictyaml.Report{}
	var order []*strictyaml.Report
	for i := range apps {
		var known *strictyaml.Report // of the file; nil for what was made in Go
		if apps[i].origin != nil {
			known = apps[i].origin.report
		}
		r, ok := reports[known]
		if !ok {
			r = new(strictyaml.Report)
			if known != nil {
				r = known.Again()
			}
			reports[known] = r
			order = append(order, r)
		}
		s.application(r, &apps[i], inGo(apps, i))
	}
	var errs []error
	for _, r := range order {
		errs = append(errs, r.Err("spinup.New"))
	}
	if len(apps) == 0 {
		errs = append(errs, &lifecycle.Error{
			Op: "spinup.New", Kind: lifecycle.Invalid, Target: "applications",
			Err: errors.New("there is none"), Hint: "give at least one",
		})
	}
	return errors.Join(errs...)
}

// inGo is the path of an application that no file tells of: none, where it is the only one.
func inGo(apps []Application, i int) string {
	if len(apps) == 1 {
		return ""
	}
	return "applications" + index(i)
}

// appsChecker checks applications against each other.
type appsChecker struct {
	names, prefixes map[string]string // to the path of the first
	later           *[]func()         // as in a checker
}

func newAppsChecker() *appsChecker {
	return &appsChecker{names: map[string]string{}, prefixes: map[string]string{}}
}

func (s *appsChecker) application(r *strictyaml.Report, app *Application, path string) {
	if app.origin != nil {
		path = app.origin.path
	}
	c := checker{report: r, path: path}
	c.routePrefix(app)
	c.environment("runtime_env.env_vars", &app.RuntimeEnv)
	s.unique(&c, "name", cmp.Or(app.Name, "default"), s.names)
	s.unique(&c, "route_prefix", cmp.Or(app.RoutePrefix, "/"), s.prefixes)
	if !c.importPath(app) {
		return // its arguments are another builder's
	}
	if len(app.Args.LLMConfigs) == 0 {
		c.fail("args.llm_configs", "give at least one LLMConfig", "there is no model to serve")
	}
	models := map[string]string{}
	for i, cfg := range app.Args.LLMConfigs {
		m := checker{report: r, path: s.configPath(app, path, i), later: s.later}
		m.config(cfg)
		if cfg != nil && cfg.ModelLoadingConfig.ModelID != "" {
			s.unique(&m, "model_loading_config.model_id", cfg.ModelLoadingConfig.ModelID, models)
		}
	}
}

func (s *appsChecker) configPath(app *Application, path string, i int) string {
	if app.origin != nil {
		if known, ok := app.origin.configs[app.Args.LLMConfigs[i]]; ok {
			return known
		}
	} else if path == "" && len(app.Args.LLMConfigs) == 1 {
		return ""
	}
	return join(path, "args.llm_configs"+index(i))
}

func (s *appsChecker) unique(c *checker, path, value string, seen map[string]string) {
	if first, ok := seen[value]; ok {
		c.fail(path, "choose another one", "%q is the same as in %s", value, cmp.Or(first, "the first one"))
		return
	}
	seen[value] = c.path
}

func (c *checker) routePrefix(app *Application) {
	p := app.RoutePrefix
	const hint = `write it as "/name"`
	switch {
	case p == "" && (c.given("route_prefix") || c.report.HasNull(join(c.path, "route_prefix"))):
		c.fail("route_prefix", hint, "an application without a route cannot be reached")
	case p == "" || p == "/":
	case p[0] != '/':
		c.fail("route_prefix", hint, "it does not begin with /")
	case strings.HasSuffix(p, "/"):
		c.fail("route_prefix", hint, "it ends with /")
	case strings.ContainsAny(p, "{}?# ") || strings.Contains(p, "//"):
		c.fail("route_prefix", hint, "it is a plain path, without wildcards, blanks or empty parts")
	}
}

// importPath refuses applications that are not build_openai_app: they would need Python.
func (c *checker) importPath(app *Application) (ok bool) {
	p := app.ImportPath
	if p == "" || supported(p) {
		return true
	}
	hint := "write " + importPath
	if near := nearest.Of(p, []string{importPath}, 1); len(near) > 0 && !slices.Contains(otherBuilders, strings.Replace(p, ":", ".", 1)) {
		hint = "did you mean " + importPath + "?"
	}
	c.fail("import_path", hint, "%q is not supported: applications of other builders need Ray", p)
	return false
}

var otherBuilders = []string{
	"ray.serve.llm.build_llm_deployment", "ray.serve.llm.build_dp_deployment", "ray.serve.llm.build_dp_openai_app",
	"ray.serve.llm.build_pd_openai_app",
}

func supported(path string) bool {
	return strings.Replace(path, ":", ".", 1) == strings.Replace(importPath, ":", ".", 1)
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }
