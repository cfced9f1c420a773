package spinup

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
)

// startup is the way of one replica from its node to ready.
type startup struct {
	*model
	scope lifecycle.Scope
	state *ReplicaState

	compiled *compiled         // nil without a compile cache
	arrival  *download.Arrival // of the node's files; nil where they are all there
	served   *served           // nil unless the engine reads them from this host
}

// start implements replica.Start. On failure the OnFailure hook has run.
func (m *model) start(ctx context.Context, scope lifecycle.Scope, n replica.Node) (replica.Instance, error) {
	defer m.standbys.starts()()
	leave := m.nodes.enter()
	s := &startup{model: m, scope: scope, state: &ReplicaState{
		ReplicaID: scope.Replica, Config: m.cfg, Node: n, Downloads: m.opts.Downloads,
		Log:     m.opts.Logger.With(slog.String("replica", scope.Replica)),
		Sources: m.opts.Sources.WithEnv(m.env),
		Values:  map[string]any{},
	}}
	process, err := s.run(ctx)
	if err != nil {
		s.served.close()
		s.failed(ctx, err)
		s.compiled.close()
		m.telemetry.Forget(scope.Replica, time.Now(), err)
		m.standbys.forget(scope.Replica)
		leave()
		return nil, err
	}
	return newInstance(ctx, s, process, leave), nil
}

func (s *startup) run(ctx context.Context) (*engine.Process, error) {
	if err := s.hook(ctx, lifecycle.StageNodeInit, "OnBeforeNodeInit", Callback.OnBeforeNodeInit); err != nil {
		return nil, err
	}
	s.state.Spec = s.spec(s.state.Node)
	if err := s.checkKwargs(ctx); err != nil {
		return nil, err
	}
	early := s.standbys.take(s)
	if early == nil {
		early = s.preload(ctx)
	}
	defer func() { _ = early.Discard(ctx) }() // when something fails before the engine's start
	if err := s.nodeInit(ctx); err != nil {
		return nil, err
	}
	if err := s.serveWeights(ctx); err != nil {
		return nil, err
	}
	s.state.Spec.Dir, s.state.Spec.Trace = s.state.Dir, s.engineSpans(ctx)
	s.enterRoom()
	if err := s.hook(ctx, lifecycle.StageCallback, "OnBeforeEngineStart", Callback.OnBeforeEngineStart); err != nil {
		return nil, err
	}
	s.checkRoom()
	process, err := s.launch(ctx, early)
	for err != nil && (s.withoutStandby(ctx, err) || s.doWithout(ctx, err)) {
		early = s.preload(ctx)
		process, err = s.launch(ctx, early)
	}
	if err != nil {
		return nil, err
	}
	if err := s.hook(ctx, lifecycle.StageCallback, "OnReady", Callback.OnReady); err != nil {
		_ = process.Stop(ctx)
		return nil, err
	}
	return process, nil
}

// preload begins the engine.
func (s *startup) preload(ctx context.Context) *engine.Preloaded {
	return engine.Preload(ctx, s.engine, s.state.Spec, s.engineOptions(s.state.Node, s.scope, s.state.Log))
}

// withoutStandby reports whether the engine is to be started once more, as what failed has been
// a standby: waiting must not make a start worse.
func (s *startup) withoutStandby(ctx context.Context, failed error) bool {
	if !s.standbys.became(s.scope.Replica) || ctx.Err() != nil || lifecycle.KindOf(failed) != lifecycle.EngineFailed {
		return false
	}
	s.standbys.forget(s.scope.Replica)
	s.scope.Skip(StageStandby, "what was a standby failed, and the engine starts once more without: "+failed.Error())
	return true
}

// nodeInit brings the files, while the engine preloads, and runs the hook after it.
func (s *startup) nodeInit(ctx context.Context) error {
	if !s.state.SkipNodeInit {
		if err := s.files(ctx); err != nil {
			return err
		}
	}
	return s.hook(ctx, lifecycle.StageNodeInit, "OnAfterNodeInit", Callback.OnAfterNodeInit)
}

// spec is what the engine needs to know, but for the files.
func (m *model) spec(n replica.Node) engine.Spec {
	kwargs := m.cfg.EngineKwargs.Kwargs()
	if t := m.cfg.ModelLoadingConfig.TokenizerSource; t != "" && kwargs["tokenizer"] == nil {
		kwargs["tokenizer"] = t
	}
	return engine.Spec{
		ModelID: m.id(), Kwargs: kwargs, Env: maps.Clone(m.env),
		Devices: n.Devices(), CPUs: n.CPUs(), Sleeps: m.opts.SleepAfter > 0, Adapters: m.adapters.most(),
	}
}

// checkKwargs refuses a wrong engine_kwargs before anything is fetched.
func (s *startup) checkKwargs(ctx context.Context) error {
	e, ok := s.engine.(engine.KwargsChecker)
	if !ok {
		return nil
	}
	return s.stage(ctx, lifecycle.StageCheck, "engine_kwargs", func(context.Context, lifecycle.Scope) error {
		return e.CheckKwargs(s.state.Spec)
	})
}

func (m *model) engineOptions(n replica.Node, scope lifecycle.Scope, log *slog.Logger) *engine.Options {
	return &engine.Options{
		Launcher: n, Scope: scope, Logger: log,
		ReadyWithin: m.opts.limit(lifecycle.StagePreload), StopWithin: m.opts.Drain,
	}
}

// launch starts the engine and waits until it serves. The engine's own limit on time
// without progress holds meanwhile.
func (s *startup) launch(ctx context.Context, early *engine.Preloaded) (*engine.Process, error) {
	watched := s.served.watch(ctx)
	process, err := early.Start(watched, s.state.Spec)
	if err != nil {
		return nil, s.served.blame(ctx, s.scope, err)
	}
	if early.Err() != nil {
		s.standbys.forget(s.scope.Replica) // the process is another
	}
	if err = process.Ready(watched); err == nil {
		err = s.served.verify(watched, s.scope)
	}
	if err != nil {
		_ = process.Stop(watched)
		return nil, s.served.blame(ctx, s.scope, err)
	}
	s.state.Endpoint = process.Endpoint()
	return process, nil
}

// hook runs one hook as a span of stage. Without a callback there is nothing to do or tell.
func (s *startup) hook(ctx context.Context, stage lifecycle.Stage, name string, call func(Callback, context.Context, *ReplicaState) error) error {
	if s.hooks.none() {
		return nil
	}
	err := s.stage(ctx, stage, name, func(ctx context.Context, span lifecycle.Scope) error {
		ctx = context.WithValue(ctx, spanKey{}, span)
		return s.hooks.run(ctx, name, s.state, func(c Callback) error { return call(c, ctx, s.state) })
	})
	if err != nil && !s.hooks.raise && ctx.Err() == nil { // it was left behind
		s.hooks.forgive(ctx, name, s.state, err)
		return nil
	}
	return err
}

// spanKey is that of the span in the context of a hook.
type spanKey struct{}

// Progress tells how far a hook is, of ctx, with done and total in a unit of its own. It is shown beside
// the stage. A hook that tells nothing for the limit of its stage (Options.StageLimits; 10 minutes) is
// cancelled. Outside a hook it does nothing.
func Progress(ctx context.Context, done, total int64, message string) {
	if span, ok := ctx.Value(spanKey{}).(lifecycle.Scope); ok {
		span.Progress(done, total, message)
	}
}

func (s *startup) failed(ctx context.Context, cause error) {
	ctx, cancel := lastWord(ctx)
	defer cancel()
	_ = s.hook(ctx, lifecycle.StageCallback, "OnFailure", func(c Callback, ctx context.Context, st *ReplicaState) error {
		return c.OnFailure(ctx, st, cause)
	})
}

// lastWord is the context of a hook that tells about the end, which it may outlive by 5 s.
func lastWord(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), grace)
}

// instance is a serving replica whose end runs hooks.
type instance struct {
	*startup
	process *engine.Process
	done    chan struct{} // after the hooks
	last    sync.Once     // hook: OnFailure or OnStop
	leases  leases        // of its adapters
}

func newInstance(ctx context.Context, s *startup, p *engine.Process, leave func()) *instance {
	i := &instance{startup: s, process: p, done: make(chan struct{})}
	life, gone := context.WithCancel(ctx)
	published := make(chan struct{})
	go func() {
		defer close(published)
		s.publish(life)
	}()
	go func() {
		defer close(i.done)
		<-p.Done()
		s.served.close()
		i.leaveRoom(published, gone)
		s.standbys.forget(s.scope.Replica)
		i.leases.close()
		if err := p.Err(); err != nil && lifecycle.KindOf(err) != lifecycle.Canceled { // Stop tells of that
			i.last.Do(func() { s.failed(ctx, err) })
		}
		leave()
	}()
	return i
}

// leaveRoom waits a little for what is being published, and removes the room.
func (i *instance) leaveRoom(published <-chan struct{}, gone context.CancelFunc) {
	defer gone()
	select {
	case <-published:
	case <-time.After(grace):
		gone()
		<-published // stage leaves it behind where it hangs
	}
	i.compiled.close()
}

func (i *instance) Endpoint() *url.URL    { return i.process.Endpoint() }
func (i *instance) Down() <-chan struct{} { return i.process.Down() }
func (i *instance) Done() <-chan struct{} { return i.done }
func (i *instance) Err() error            { return i.process.Err() }

// Alive and Answers implement replica.Checker.
func (i *instance) Alive(ctx context.Context) error   { return i.process.Alive(ctx) }
func (i *instance) Answers(ctx context.Context) error { return i.process.Answers(ctx) }

// Kill implements replica.Checker. The engine ends without time to stop, and OnFailure runs.
func (i *instance) Kill(ctx context.Context, reason error) error {
	now, cancel := context.WithCancel(ctx)
	cancel()
	err := i.end(now)
	i.last.Do(func() { i.failed(ctx, reason) })
	return err
}

// end stops the process. One that withstands is not waited for.
func (i *instance) end(ctx context.Context) error {
	if err := i.process.Stop(ctx); err != nil {
		return err
	}
	<-i.done
	return nil
}

// Load implements replica.LoadTeller, where the engine tells its load.
func (i *instance) Load(ctx context.Context) (engine.Load, error) {
	t, ok := i.engine.(engine.LoadTeller)
	if !ok {
		return engine.Load{}, errors.ErrUnsupported
	}
	return i.process.Load(ctx, t)
}

// Sleep and Wake implement replica.Sleeper; New has seen that the engine can.
func (i *instance) Sleep(ctx context.Context) error { return i.turn(ctx, i.process.Sleep) }
func (i *instance) Wake(ctx context.Context) error  { return i.turn(ctx, i.process.Wake) }

func (i *instance) turn(ctx context.Context, f func(context.Context, engine.Sleeper) error) error {
	s, ok := i.engine.(engine.Sleeper)
	if !ok {
		return errors.ErrUnsupported
	}
	return f(ctx, s)
}

// Stop stops the engine and runs the OnStop hook, whose error is logged, unless the engine has failed.
func (i *instance) Stop(ctx context.Context) error {
	err := i.end(ctx)
	ctx, cancel := lastWord(ctx)
	defer cancel()
	i.last.Do(func() { _ = i.hook(ctx, lifecycle.StageCallback, "OnStop", Callback.OnStop) })
	return err
}
