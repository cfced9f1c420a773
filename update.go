package spinup

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Update replaces the configurations of models, told by their model_id, without a gap: new
// replicas start beside the old ones, take the requests when all of them are ready, and the
// old ones drain. A configuration that is wrong, or whose replicas cannot start before ctx
// ends, changes nothing: the old replicas go on, and the reason is returned. The new and the
// old ones need room beside each other.
//
// Several configurations are applied one after another; those before a wrong one stay
// applied, unless Validate finds it. Models cannot be added or removed. Update returns nil
// when the old replicas have gone; before Start it is Invalid.
func (d *Deployment) Update(ctx context.Context, cfgs ...*LLMConfig) error {
	if !d.revising.TryLock() {
		return &lifecycle.Error{
			Op: "spinup.Update", Kind: lifecycle.Unavailable, Err: errors.New("another update is under way"), Hint: "wait for its end",
		}
	}
	defer d.revising.Unlock()
	if err := d.begun(); err != nil {
		return err
	}
	var changes []change
	var problems []error
	for _, cfg := range cfgs {
		c, err := d.change(cfg, changes)
		changes, problems = append(changes, c), append(problems, err)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	for _, c := range changes {
		if err := d.replace(ctx, c.app, c.old, c.next); err != nil {
			return err
		}
	}
	return nil
}

// begun refuses an Update that would wait for replicas that nobody has asked for.
func (d *Deployment) begun() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.never == nil && d.cancel == nil {
		return &lifecycle.Error{
			Op: "spinup.Update", Kind: lifecycle.Invalid, Err: errors.New("the deployment has not been started"),
			Hint: "call Start before, or give the configurations to New",
		}
	}
	return d.never
}

// A change is a model with the one that takes its place.
type change struct {
	app       *application
	old, next *model // nil where the configuration is wrong
}

// change checks cfg beside the other changes of an update.
func (d *Deployment) change(cfg *LLMConfig, others []change) (change, error) {
	if err := cfg.Validate(); err != nil {
		return change{}, err
	}
	id := cfg.ModelLoadingConfig.ModelID
	if slices.ContainsFunc(others, func(c change) bool { return c.old != nil && c.old.id() == id }) {
		return change{}, &lifecycle.Error{
			Op: "spinup.Update", Kind: lifecycle.Invalid, Target: id, Err: errors.New("two configurations have this model_id"), Hint: "give one",
		}
	}
	app, old, err := d.find(id)
	if err != nil {
		return change{}, err
	}
	next, err := newModel(d.opts, app.env, cfg, d)
	return change{app, old, next}, err
}

// replace brings up next in the place of old.
func (d *Deployment) replace(ctx context.Context, app *application, old, next *model) error {
	next.set, next.made, next.standbys = old.set, old.made, old.standbys
	n := next.wanted()
	if next.scaling() != nil {
		n = -1 // the present number, within the new bounds
	}
	if err := next.set.Update(ctx, n, next.start, next.setOptions(d.share)); err != nil {
		next.nodes.retire()
		return err
	}
	next.standbys.serve(next)
	d.revision.Lock()
	for i, m := range app.models {
		if m == old {
			app.models[i] = next
		}
	}
	d.revision.Unlock()
	old.nodes.retire()
	return nil
}

// closeFiles gives back the files of all models, when no replica is left.
func (d *Deployment) closeFiles() {
	d.revising.Lock() // an Update ends soon: its set has
	defer d.revising.Unlock()
	for m := range d.models() {
		m.nodes.retire()
	}
}

// find returns the one model with id.
func (d *Deployment) find(id string) (*application, *model, error) {
	d.revision.RLock()
	defer d.revision.RUnlock()
	var app *application
	var found *model
	var ids []string
	for _, a := range d.apps {
		for _, m := range a.models {
			ids = append(ids, m.id())
			switch {
			case m.id() != id:
			case found != nil:
				return nil, nil, &lifecycle.Error{
					Op: "spinup.find", Kind: lifecycle.Invalid, Target: id,
					Err: fmt.Errorf("the applications %s and %s have a model of this name", app.name, a.name), Hint: "give them different names",
				}
			default:
				app, found = a, m
			}
		}
	}
	if found == nil {
		return nil, nil, &lifecycle.Error{
			Op: "spinup.find", Kind: lifecycle.NotFound, Target: id, Err: errors.New("no model of this name is deployed"),
			Hint: nearest.Hint(id, ids),
		}
	}
	return app, found, nil
}

// Scale sets the number of replicas of a model and does not wait; 0 stops serving it. With
// an autoscaling_config the number goes on from there as the load wants it. Errors: NotFound.
func (d *Deployment) Scale(modelID string, n int) error {
	_, m, err := d.find(modelID)
	if err != nil {
		return err
	}
	if n < 0 {
		return &lifecycle.Error{Op: "spinup.Scale", Kind: lifecycle.Invalid, Target: modelID, Err: fmt.Errorf("%d replicas", n), Hint: "give 0 or more"}
	}
	m.set.Want(n)
	return nil
}
