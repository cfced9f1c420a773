package spinup

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// aliases returns the other names of a model, sorted.
func (o *Options) aliases(id string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(o.Aliases)) {
		if o.Aliases[name] == id {
			names = append(names, name)
		}
	}
	return names
}

// checkAliases refuses those that lead nowhere, or hide a model.
func (d *Deployment) checkAliases() error {
	var ids []string
	for _, app := range d.apps {
		for _, m := range app.models {
			if m != nil { // nil: its problem is told
				ids = append(ids, m.id())
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
		case !slices.Contains(ids, id):
			problem.Err, problem.Hint = fmt.Errorf("no model is named %q", id), nearest.Hint(id, ids)
		default:
			continue
		}
		problems = append(problems, problem)
	}
	return errors.Join(problems...)
}
