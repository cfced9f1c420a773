package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

const (
	killWithin  = 10 * time.Second       // for the system to end what was killed
	drainWithin = 500 * time.Millisecond // for the output up to a failure to arrive
	causeWithin = time.Second            // for the death behind a failed request to be seen
	doubtFor    = 2 * time.Second        // an engine that breaks says so by then
	silentFor   = 10 * time.Second       // a busy one that is well says so by then
)

// An ending is the first reason for which a process ends.
type ending struct {
	asked  bool   // by Stop, or by the end of Start's context
	broken bool   // err is what the parser saw
	err    error  // the reason, where it is known
	death  *Death // what died
}

// supervise owns the process from its launch until nothing is left.
func (p *Process) supervise(ctx context.Context) {
	var tasks sync.WaitGroup
	probing, stopProbing := context.WithCancel(ctx)
	probed, broken := make(chan error, 1), make(chan error, 1)
	tasks.Go(func() {
		select {
		case <-p.told.sent:
			probed <- p.probe(probing)
		case <-probing.Done():
		}
	})
	tasks.Go(func() { p.output.drain(p.line(ctx, broken)) })
	tasks.Go(func() {
		p.exit.code, p.exit.err = p.handle.Wait()
		p.gone.send()
	})
	end := p.watch(ctx, probed, broken)
	p.mu.Lock()
	p.down.send() // no order after this
	p.mu.Unlock()
	stopProbing()
	if end.asked {
		p.askToEnd(ctx)
	}
	p.kill(ctx)
	p.conclude(end)
	tasks.Wait()
	if in := p.handle.Input(); in != nil {
		_ = in.Close()
	}
	p.giveBack()
	p.owner.Load().marks.Mark(lifecycle.StageStopped, "")
	p.log.Close()
	p.done.send()
}

func (p *Process) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.release != nil {
		p.release()
	}
}

// line takes in one line of output. A failure that the parser sees goes to broken.
func (p *Process) line(ctx context.Context, broken chan<- error) func(string, []lifecycle.Event) {
	return func(line string, events []lifecycle.Event) {
		log := p.owner.Load().Logger
		if log.Enabled(ctx, slog.LevelDebug) {
			log.LogAttrs(ctx, slog.LevelDebug, "engine output", slog.String("model", p.model), slog.String("line", shown(p.redact(line))))
		}
		if err := p.stages.apply(events); err != nil {
			select {
			case broken <- err:
			default: // the first one counts
			}
		}
	}
}

// watch returns the first reason to end.
func (p *Process) watch(ctx context.Context, probed, broken <-chan error) ending {
	stalled := time.NewTimer(p.owner.Load().ReadyWithin)
	defer stalled.Stop()
	for {
		select {
		case <-ctx.Done():
			return ending{asked: true, err: lifecycle.FromContext(ctx, "engine.Start", p.model)}
		case <-p.stopping.sent:
			return ending{asked: true}
		case d := <-p.lost():
			return p.unlessAsked(ctx, ending{death: &d})
		case <-p.gone.sent:
			return p.unlessAsked(ctx, p.goneEnding())
		case err := <-broken:
			if e, over := p.broke(ctx, err); over {
				return p.unlessAsked(ctx, e)
			}
		case err := <-probed:
			if err != nil {
				return p.unlessAsked(ctx, p.behind(ctx, err))
			}
			if ctx.Err() != nil { // which ended the probe
				continue
			}
			p.serve()
			stalled.Stop()
			probed = nil
		case <-stalled.C:
			stage, quiet := p.stages.quiet()
			if left := p.owner.Load().ReadyWithin - quiet; left > 0 {
				stalled.Reset(left)
				continue
			}
			return ending{err: p.stallError(stage, quiet)}
		}
	}
}

// broke decides whether a failure that the output tells of ends the engine. One that serves may only
// have written what a client or a model says: it goes on while it says that it is alive, and may
// be slow to say so.
func (p *Process) broke(ctx context.Context, err error) (e ending, over bool) {
	e = ending{broken: true, err: err}
	if !p.serving.isSent() || p.command.AlivePath == "" {
		return e, true
	}
	tick := time.NewTicker(askLate)
	defer tick.Stop()
	began := time.Now()
	for heard := began; ; {
		said := p.aliveSoon(ctx)
		switch {
		case said == nil && time.Since(began) >= doubtFor:
			p.goOn(ctx, err)
			return ending{}, false
		case said == nil:
			heard = time.Now()
		case denied(said), time.Since(heard) >= silentFor:
			return e, true
		}
		select {
		case d := <-p.lost():
			return ending{death: &d}, true
		case <-p.gone.sent:
			return p.goneEnding(), true
		case <-p.stopping.sent:
			return e, true
		case <-ctx.Done():
			return e, true
		case <-tick.C:
		}
	}
}

func (p *Process) aliveSoon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, causeWithin)
	defer cancel()
	return p.Alive(ctx)
}

// denied tells a no from no answer.
func denied(said error) bool {
	return errors.Is(said, lifecycle.EngineFailed) || errors.Is(said, syscall.ECONNREFUSED)
}

// goOn takes back the failure err.
func (p *Process) goOn(ctx context.Context, err error) {
	p.output.forget()
	p.owner.Load().Logger.LogAttrs(ctx, slog.LevelWarn, "engine goes on: its output tells of a failure, but it is alive",
		slog.String("model", p.model), slog.String("error", p.redact(err.Error())))
}

func (p *Process) serve() {
	now := p.stages.close(nil)
	at(p.owner.Load().marks, now).Mark(lifecycle.StageReady, p.url.String())
	p.serving.send()
}

// lost is nil where the launcher does not see processes.
func (p *Process) lost() <-chan Death {
	if w, ok := p.handle.(Watcher); ok {
		return w.Lost()
	}
	return nil
}

// goneEnding prefers a death that was seen to the end that followed.
func (p *Process) goneEnding() ending {
	select {
	case d := <-p.lost():
		return ending{death: &d}
	default:
	}
	if p.exit.err != nil {
		return ending{err: p.exit.err}
	}
	return ending{death: &Death{Exit: p.exit.code}}
}

// unlessAsked gives a request to end precedence over what happened at the same time.
func (p *Process) unlessAsked(ctx context.Context, e ending) ending {
	switch {
	case p.stopping.isSent():
		return ending{asked: true}
	case ctx.Err() != nil:
		return ending{asked: true, err: lifecycle.FromContext(ctx, "engine.Start", p.model)}
	default:
		return e
	}
}

// behind looks for the death behind a failed request: the connection breaks a little
// before the death is seen.
func (p *Process) behind(ctx context.Context, err error) ending {
	wait := time.NewTimer(causeWithin)
	defer wait.Stop()
	select {
	case d := <-p.lost():
		return ending{death: &d}
	case <-p.gone.sent:
		return p.goneEnding()
	case <-p.stopping.sent:
	case <-ctx.Done():
	case <-wait.C:
	}
	return ending{err: err}
}

// askToEnd sends the stop signal and waits for the end as long as it may take.
func (p *Process) askToEnd(ctx context.Context) {
	if p.killing.isSent() || p.handle.Signal(p.stop) != nil {
		return
	}
	limit := time.NewTimer(p.owner.Load().StopWithin)
	defer limit.Stop()
	select {
	case <-p.gone.sent:
		return
	case <-p.killing.sent:
	case <-limit.C:
	}
	p.owner.Load().Logger.LogAttrs(ctx, slog.LevelWarn, "engine killed: it did not stop in time", slog.String("model", p.model))
}

// kill ends what the stop signal has left, or everything.
func (p *Process) kill(ctx context.Context) {
	if err := p.handle.Kill(); err != nil {
		p.owner.Load().Logger.LogAttrs(ctx, slog.LevelWarn, "engine not killed", slog.String("model", p.model), slog.String("error", p.redact(err.Error())))
	}
	p.killed.send()
}

// conclude finds the error of an ending and makes it known. The output that came before
// the failure is read first, as it holds the cause.
func (p *Process) conclude(end ending) {
	if end.asked {
		<-p.gone.sent
	} else {
		late := time.NewTimer(drainWithin)
		defer late.Stop()
		select {
		case <-p.output.ended:
		case <-late.C:
		}
	}
	p.err = p.reason(end)
	unfinished := p.err
	if unfinished == nil {
		unfinished = &lifecycle.Error{Op: "engine.Start", Kind: lifecycle.Canceled, Target: p.model, Err: errStopped}
	}
	p.stages.close(unfinished)
	p.ended.send()
}
