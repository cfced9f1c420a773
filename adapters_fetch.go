package spinup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
)

// most is how many a replica holds at the same time; of nil it is 0.
func (a *adapters) most() int {
	if a == nil {
		return 0
	}
	return cmp.Or(a.model.cfg.LoraConfig.MaxNumAdaptersPerReplica, 16)
}

// lease brings an adapter here and checks it for an engine of spec.
func (a *adapters) lease(ctx context.Context, name string, spec engine.Spec) (*download.Lease, error) {
	f, err := a.find(ctx, name)
	if err != nil {
		return nil, err
	}
	var lease *download.Lease
	err = a.patiently(ctx, func(ctx context.Context) (err error) {
		lease, err = a.model.opts.Cache.Acquire(ctx, a.model.opts.Downloads, f.source, f.files, nil, nil)
		return err
	})
	if err != nil {
		if errors.Is(err, lifecycle.Corrupt) || errors.Is(err, lifecycle.MissingFile) {
			a.forget(name, f) // it has changed since: the next request looks again
		}
		return nil, err
	}
	if err := a.loader.CheckAdapter(spec, a.named(name, lease)); err != nil {
		_ = lease.Close() // nothing is left to do about a lock that cannot be released
		a.reject(name, err)
		return nil, err
	}
	return lease, nil
}

func (a *adapters) named(name string, l *download.Lease) engine.Adapter {
	return engine.Adapter{Name: a.model.id() + ":" + name, Dir: l.Dir}
}

// bring is replica.Adapters.Bring. The model's own files may not be here yet.
func (a *adapters) bring(ctx context.Context, name string) error {
	lease, err := a.lease(ctx, name, engine.Spec{ModelID: a.model.id(), Kwargs: a.model.cfg.EngineKwargs.Kwargs(), Adapters: a.most()})
	if err != nil {
		return err
	}
	return lease.Close()
}

// patiently runs f as often as max_download_tries says, and each time as long as
// download_timeout_s does. What has arrived is not fetched again.
func (a *adapters) patiently(ctx context.Context, f func(context.Context) error) error {
	c := a.model.cfg.LoraConfig
	for left, pause := cmp.Or(c.MaxDownloadTries, 3), time.Second; ; left, pause = left-1, 2*pause {
		err := within(ctx, c.downloadWithin(), f)
		again := lifecycle.KindOf(err).Temporary() || errors.Is(err, lifecycle.Timeout)
		if !again || left == 1 || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return lifecycle.FromContext(ctx, "spinup.adapter", a.model.id())
		}
	}
}

// within runs f, not longer than limit where there is one.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	if limit <= 0 {
		return f(ctx)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, &lifecycle.Error{
		Op: "spinup.adapter", Kind: lifecycle.Timeout, Err: fmt.Errorf("not within %v", limit),
		Hint: "try again, what has arrived is kept; or raise lora_config.download_timeout_s",
	})
	defer cancel()
	return f(ctx)
}

// downloadWithin is how long one try may take; 0 means no limit.
func (c *LoraConfig) downloadWithin() time.Duration {
	if c.DownloadTimeout == nil {
		return 30 * time.Second
	}
	return c.DownloadTimeout.Duration()
}
