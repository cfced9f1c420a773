package spinup

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// aliases returns the other names of a model, and what adapter each of them means.
func (o *Options) aliases(id string) map[string]string {
	names := map[string]string{}
	for name, to := range o.Aliases {
		if to == id {
			names[name] = ""
		} else if adapter, ok := adapterOf(id, to); ok {
			names[name] = adapter
		}
	}
	return names
}

// adapterOf returns the adapter of the model with id that a name means.
func adapterOf(id, name string) (adapter string, ok bool) {
	adapter, ok = strings.CutPrefix(name, id+":")
	return adapter, ok && checkAdapterName(adapter) == nil
}

// checkAliases refuses those that lead nowhere, or hide a model.
func (d *Deployment) checkAliases() error {
	var ids, adapting []string // and those that have adapters
	for _, app := range d.apps {
		for _, m := range app.models {
			if m != nil { // nil: its problem is told
				ids = append(ids, m.id())
				if m.adapters != nil {
					adapting = append(adapting, m.id())
				}
			}
		}
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(d.opts.Aliases)) {
		id := d.opts.Aliases[name]
		problem := &lifecycle.Error{Op: "spinup.New", Kind: lifecycle.Invalid, Target: "Aliases[" + name + "]"}
		switch {
		case slices.Contains(ids, name):
			problem.Err, problem.Hint = errors.New("a model has this name"), "choose another alias"
		case slices.ContainsFunc(adapting, func(base string) bool { _, ok := adapterOf(base, id); return ok }):
			continue
		case !slices.Contains(ids, id):
			problem.Err, problem.Hint = fmt.Errorf("no model is named %q", id), nearest.Hint(id, ids)
		default:
			continue
		}
		problems = append(problems, problem)
	}
	return errors.Join(problems...)
}
