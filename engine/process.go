package engine

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Process is a supervised engine. Its state only moves forward; ended is final. All
// methods may be called concurrently and again.
type Process struct {
	model    string
	owner    atomic.Pointer[owner]
	log      *lifecycle.Log
	hidden   atomic.Pointer[lifecycle.EnvVars] // taken out of what leaves the process
	stages   *stages
	output   *output
	handle   Handle
	stop     os.Signal
	told     *signal // the order is here; sent at the launch but after Preload
	stopping *signal // Stop was called
	killing  *signal // a Stop has waited long enough
	killed   *signal // Kill was called
	serving  *signal // the engine is ready
	down     *signal // it is not, or not any more
	gone     *signal // Wait has returned, exit is valid
	ended    *signal // err is valid
	done     *signal // nothing is left
	exit     exit
	err      error

	mu sync.Mutex // between the end and an order that comes late
	order
}

// An order is what a process is to run, and where.
type order struct {
	command *Command
	url     *url.URL
	parser  Parser
	release func() // gives the address back; nil before there is one
	secrets *lifecycle.EnvVars
}

// An owner is whom a process tells, and how patient it is.
type owner struct {
	Options
	marks lifecycle.Scope // for moments: the process's own log only
}

// exit is what Wait returned.
type exit struct {
	code int
	err  error
}

// Start launches the engine. The process lives until ctx ends or Stop is called, whichever
// is first, and both stop it in the same way; context.Cause(ctx) appears in Err. Start
// returns once the process runs; Ready waits for the rest.
func Start(ctx context.Context, e Engine, spec Spec, opts *Options) (*Process, error) {
	p := newProcess(spec, opts)
	p.stages.begin(lifecycle.StageCheck, e.Name())
	o, err := p.prepare(ctx, e, spec)
	if err != nil {
		p.stages.close(err)
		return nil, err
	}
	p.take(&o)
	p.stages.begin(lifecycle.StagePreload, e.Name()+" starts")
	if err := p.launch(ctx, e, o.command); err != nil {
		p.stages.close(err)
		o.release()
		return nil, err
	}
	go p.supervise(ctx)
	return p, nil
}

func newProcess(spec Spec, opts *Options) *Process {
	p := &Process{
		model: spec.ModelID, log: lifecycle.NewLog(), output: newOutput(),
		told: newSignal(), stopping: newSignal(), killing: newSignal(), killed: newSignal(),
		serving: newSignal(), down: newSignal(), gone: newSignal(), ended: newSignal(), done: newSignal(),
	}
	p.hidden.Store(&spec.Env)
	p.stages = newStages(p.own(opts), p.redact)
	return p
}

// own makes opts those of the process, and returns the scope of its stages, which tells both
// its own log and the scope of opts.
func (p *Process) own(opts *Options) lifecycle.Scope {
	o := &owner{Options: opts.withDefaults()}
	shared := o.Scope
	if shared.Model == "" {
		shared.Model = p.model
	}
	o.marks = shared
	o.marks.Emit = p.log.Append
	upward := shared.Emit
	shared.Emit = func(ev lifecycle.Event) {
		if ev.Time.IsZero() {
			ev.Time = time.Now() // the same in both logs
		}
		p.log.Append(ev)
		if upward != nil {
			upward(ev)
		}
	}
	p.owner.Store(o)
	return shared
}

func (p *Process) redact(s string) string { return p.hidden.Load().Redact(s) }

// prepare checks and makes everything up to the launch. The address is the caller's to
// give back.
func (p *Process) prepare(ctx context.Context, e Engine, spec Spec) (order, error) {
	if err := e.Check(spec); err != nil {
		return order{}, p.complete(err, lifecycle.Invalid, "engine.Check")
	}
	_, here := p.owner.Load().Launcher.(interface{ here() })
	addr, release, err := listenAddr(ctx, spec.Addr, here)
	if err != nil {
		return order{}, err
	}
	spec.Addr = addr
	cmd, err := e.Command(spec)
	if err == nil && cmd.ReadyPath == "" {
		err = fmt.Errorf("engine %s names no ReadyPath", e.Name())
	}
	if err != nil {
		release()
		return order{}, p.complete(err, lifecycle.Invalid, "engine.Command")
	}
	secrets := secretsOf(cmd.Env, spec.Env)
	return order{
		command: &cmd, url: &url.URL{Scheme: "http", Host: reachable(spec.Addr)}, parser: e.NewParser(spec),
		release: release, secrets: &secrets,
	}, nil
}

// take makes o the process's own, unless that ends already.
func (p *Process) take(o *order) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down.isSent() {
		return false
	}
	p.order = *o
	p.hidden.Store(o.secrets)
	p.output.use(o.parser)
	if p.handle != nil {
		p.reach()
	}
	p.told.send()
	return true
}

// reach takes the launcher's word for the address, where it has one.
func (p *Process) reach() {
	if addr := p.handle.Addr(); addr != "" {
		p.url.Host = addr
	}
}

// launch runs cmd, which need not be the whole order yet.
func (p *Process) launch(ctx context.Context, e Engine, cmd *Command) error {
	h, err := p.owner.Load().Launcher.Launch(ctx, *cmd)
	if err != nil {
		return p.complete(err, lifecycle.EngineFailed, "engine.Launch")
	}
	p.handle, p.stop, p.output.from = h, cmd.stopSignal(), &follower{ReadCloser: h.Output()}
	if p.told.isSent() {
		p.reach()
	}
	p.owner.Load().Logger.LogAttrs(ctx, slog.LevelDebug, "engine launched", slog.String("model", p.model),
		slog.String("engine", e.Name()), slog.String("process", h.ID()))
	return nil
}

// Ready waits until the engine serves, has ended, or ctx ends. It returns nil only while
// the engine serves.
func (p *Process) Ready(ctx context.Context) error {
	select {
	case <-p.serving.sent:
	case <-p.ended.sent:
	case <-ctx.Done():
	}
	if p.serving.isSent() && !p.down.isSent() {
		return nil
	}
	select {
	case <-p.ended.sent:
	case <-ctx.Done():
		return lifecycle.FromContext(ctx, "engine.Ready", p.model)
	}
	if p.err != nil {
		return p.err
	}
	return &lifecycle.Error{Op: "engine.Ready", Kind: lifecycle.Canceled, Target: p.model, Err: errors.New("the engine was stopped")}
}

// Endpoint is the base URL; something answers there once Ready returned nil.
func (p *Process) Endpoint() *url.URL {
	u := *p.url
	return &u
}

// Events replays all events from the start and then follows until the process has ended or
// ctx ends. Any number of consumers may range at once.
func (p *Process) Events(ctx context.Context) iter.Seq[lifecycle.Event] { return p.log.All(ctx) }

// Stop sends the stop signal, waits until StopWithin has passed or ctx ends, then kills. It
// returns nil when nothing is left running, and an error of kind Timeout when something
// withstands the kill for another ten seconds.
func (p *Process) Stop(ctx context.Context) error {
	p.stopping.send()
	select {
	case <-p.done.sent:
		return nil
	case <-p.killed.sent:
	case <-ctx.Done():
		p.killing.send()
	}
	limit := time.NewTimer(killWithin)
	defer limit.Stop()
	select {
	case <-p.done.sent:
		return nil
	case <-limit.C:
		return &lifecycle.Error{
			Op: "engine.Stop", Kind: lifecycle.Timeout, Target: p.model, Err: errors.New("processes outlive the kill"),
			Hint: "look for processes in uninterruptible sleep (state D): a device or a network disk hangs",
		}
	}
}

// Down is closed as soon as the engine serves no more or will never: it was asked to stop,
// its context has ended, or something has failed. Take it out of routing then; Done, which
// tells that its port and devices are free again, may follow seconds later.
func (p *Process) Down() <-chan struct{} { return p.down.sent }

// Done is closed when nothing is left running.
func (p *Process) Done() <-chan struct{} { return p.done.sent }

// Err returns nil while running and after a requested stop. An exit that nobody asked for
// is an error whatever its code. It is known shortly after Down and before Done.
func (p *Process) Err() error {
	if p.ended.isSent() {
		return p.err
	}
	return nil
}
