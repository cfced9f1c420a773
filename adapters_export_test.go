package spinup

import "context"

// FindAdapter looks for an adapter of the first model, as a request does.
func (d *Deployment) FindAdapter(ctx context.Context, name string) error {
	_, err := d.apps[0].models[0].adapters.find(ctx, name)
	return err
}
