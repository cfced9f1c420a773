package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Preloaded is what [Preload] has begun. Its methods may not be called concurrently.
type Preloaded struct {
	engine  Engine
	opts    *Options
	command *Command // of process
	process *Process // nil when there is none, or not any more
	idle    <-chan struct{}
	down    <-chan struct{}
	why     error // there is no process to go on with
	follow  func(context.Context)
}

// Preload begins an engine whose model is not there yet: the process does what needs none,
// and waits. It never fails: where the engine is no [Preloader], or cannot do it here, there
// is no process, a skipped StagePreload says why, and [Preloaded.Start] is the whole start.
// Of spec, Dir, Weights, Addr and Trace may be missing. Exactly one of Start and Discard has
// to follow; Discard may follow both. The process ends with ctx, too.
//
//	early := engine.Preload(ctx, e, spec, nil)
//	defer early.Discard(ctx)
//	spec.Dir, err = download(ctx)
//	…
//	p, err := early.Start(ctx, spec)
func Preload(ctx context.Context, e Engine, spec Spec, opts *Options) *Preloaded {
	never := newSignal()
	never.send()
	l := &Preloaded{engine: e, opts: opts, why: errors.ErrUnsupported, down: never.sent}
	driver, ok := e.(Preloader)
	if !ok {
		return l
	}
	spec.Env = maps.Clone(spec.Env) // the caller's may change until Start
	p := newProcess(spec, opts)
	cmd, err := driver.Preload(spec)
	if err != nil {
		l.why = err
		p.stages.skip(err)
		return l
	}
	secrets := secretsOf(cmd.Env, spec.Env)
	p.hidden.Store(&secrets)
	p.output.use(e.NewParser(spec))
	p.stages.preload(e.Name() + " starts, its model is to come")
	if l.why = p.launch(ctx, e, &cmd); l.why != nil {
		p.stages.close(l.why)
		return l
	}
	l.supervise(ctx, p, &cmd)
	if p.handle.Input() == nil {
		_ = l.Discard(ctx) // what does not end is told by its own log
		l.why = errors.New("the launcher gives it no input to be told by")
		p.stages.skip(l.why)
	}
	return l
}

// Idle is closed when the process has done what needs no model. Ask for it and for Down
// before Start.
func (l *Preloaded) Idle() <-chan struct{} { return l.idle }

// Down is closed when there is no process, or it ends.
func (l *Preloaded) Down() <-chan struct{} { return l.down }

// Err says why Start had, or has, to start anew; after Discard, why the process had ended
// before that. It is nil else. For an engine that is no Preloader it is errors.ErrUnsupported.
func (l *Preloaded) Err() error { return l.why }

// Yield puts the process behind others that want the processor, if its handle is a [Yielder],
// until Adopt, which then has to come before Start.
func (l *Preloaded) Yield() { l.yield(true) }

func (l *Preloaded) yield(yield bool) {
	if p := l.process; p != nil {
		if y, ok := p.handle.(Yielder); ok {
			_ = y.Yield(yield) // one that has ended is found by others
		}
	}
}

// Adopt makes opts those of the process, which was begun before it was known for whom: its
// stages belong to their Scope from now on. A preload that is still on goes on there, else a
// skipped StagePreload says that from has done it.
func (l *Preloaded) Adopt(opts *Options, from string) {
	l.opts = opts
	l.yield(false)
	if p := l.process; p != nil {
		p.stages.adopt(p.own(opts), from)
	}
}

func (l *Preloaded) supervise(ctx context.Context, p *Process, cmd *Command) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.process, l.command, l.idle, l.down = p, cmd, p.stages.idle.sent, p.down.sent
	l.follow = func(other context.Context) {
		unlink := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
		context.AfterFunc(ctx, func() { unlink() })
	}
	go func() {
		defer cancel(nil)
		p.supervise(ctx)
	}()
}

// Start is [Start] with the process that is there, which from now on ends with ctx, too.
// Where it has died meanwhile, or cannot become what spec wants any more, it is ended, a
// skipped StagePreload says why, and the engine starts anew.
func (l *Preloaded) Start(ctx context.Context, spec Spec) (*Process, error) {
	p := l.process
	if p == nil {
		return Start(ctx, l.engine, spec, l.opts)
	}
	check := p.stages.root.Begin(lifecycle.StageCheck, l.engine.Name())
	o, err := p.prepare(ctx, l.engine, spec)
	check.Close(err)
	if err != nil {
		_ = l.Discard(ctx) // the error to tell is the other one
		return nil, err
	}
	if why := l.hand(ctx, &o); why != nil {
		_ = l.Discard(ctx) // the error to tell is the other one
		l.why = why
		p.stages.skip(fmt.Errorf("the engine starts anew: %w", why))
		return Start(ctx, l.engine, spec, l.opts)
	}
	l.process = nil
	return p, nil
}

// hand tells the process its order. After an error the process is to be discarded.
func (l *Preloaded) hand(ctx context.Context, o *order) error {
	p := l.process
	input, err := l.engine.(Preloader).Become(*l.command, *o.command) //nolint:forcetypeassert // Preload has seen it
	if err != nil {
		o.release()
		return err
	}
	if !p.take(o) {
		o.release()
		return p.whyEnded(ctx)
	}
	p.stages.tell()
	l.follow(ctx)
	_, err = p.handle.Input().Write(input)
	return err
}

// whyEnded waits for the reason, which follows the end soon.
func (p *Process) whyEnded(ctx context.Context) error {
	select {
	case <-p.ended.sent:
	case <-ctx.Done():
	}
	if err := p.Err(); err != nil {
		return err
	}
	return errStopped
}

// Discard ends the process, unless Start has given it away, and returns when nothing is
// left; errors are those of [Process.Stop].
func (l *Preloaded) Discard(ctx context.Context) error {
	p := l.process
	if p == nil {
		return nil
	}
	l.process = nil
	p.killing.send() // it has nothing to bring to an end
	err := p.Stop(ctx)
	l.why = p.Err()
	return err
}
