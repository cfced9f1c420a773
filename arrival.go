package spinup

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/store"
)

// arrive begins to fetch the weights, and returns when the engine can read them. It goes on
// until entry is closed, whatever becomes of this replica, as others share it.
func (s *startup) arrive(ctx context.Context, src source.Source, man *source.Manifest, entry *shared) error {
	left := man.Filter(isWeights)
	message := fmt.Sprintf("%s streams %d weight files, %.2f GB, from this host, to which they come from %s",
		s.engine.Name(), len(left.Files), float64(left.Size())/1e9, man.URI)
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	began := make(chan error, 1)
	entry.end = end
	entry.background.Go(func() {
		_ = s.stage(background, lifecycle.StageDownload, message, func(ctx context.Context, span lifecycle.Scope) (err error) {
			entry.arrival, err = s.opts.Cache.Stream(ctx, s.opts.Downloads, src, man, s.moved(ctx, span, man.URI))
			if began <- err; err != nil {
				return err
			}
			_, err = entry.arrival.Lease()
			return err
		})
	})
	select {
	case err := <-began:
		s.arrival = entry.arrival
		return err
	case <-ctx.Done():
		return lifecycle.FromContext(ctx, "spinup.download", man.URI)
	}
}

// served are weights that an engine reads from this host while they arrive.
type served struct {
	store    *store.Store
	arrival  *download.Arrival
	reader   *download.Reader
	end      context.CancelCauseFunc // of the engine; nil before its start
	watching sync.WaitGroup
}

// serveWeights makes the weights that are on their way readable for the engine. Those that are
// there it reads from the folder.
func (s *startup) serveWeights(ctx context.Context) error {
	if s.arrival == nil || arrived(s.arrival) {
		return nil
	}
	st, err := store.Listen(ctx)
	if err != nil {
		return err
	}
	s.served = &served{store: st, arrival: s.arrival, reader: s.arrival.Reader()}
	s.state.Spec.Weights = st.Serve(s.state.Manifest, s.served.reader)
	s.state.Spec.Store = &engine.Store{Endpoint: st.Endpoint, AccessKey: st.AccessKey, SecretKey: st.SecretKey}
	return nil
}

func arrived(a *download.Arrival) bool {
	select {
	case <-a.Done():
		_, err := a.Lease()
		return err == nil
	default:
		return false
	}
}

// watch returns a context that ends, with the reason, as soon as the engine cannot have the
// right weights any more. A nil served has nothing to watch.
func (w *served) watch(ctx context.Context) context.Context {
	if w == nil {
		return ctx
	}
	if w.end != nil { // of a start before, which has failed
		w.end(nil)
		w.watching.Wait()
	}
	ctx, end := context.WithCancelCause(ctx)
	w.end = end
	w.watching.Go(func() {
		if err := w.reader.Verified(ctx); err != nil {
			end(err)
		}
	})
	return ctx
}

// verify waits until all that the engine has read is known to be right.
func (w *served) verify(ctx context.Context, scope lifecycle.Scope) error {
	if w == nil || w.wrong(ctx) == nil {
		return nil
	}
	return scope.Run(ctx, lifecycle.StageDownload, func(ctx context.Context, span lifecycle.Scope) error {
		span.Progress(0, 0, "the engine has read the weights, which are verified")
		return w.reader.Verified(ctx)
	})
}

// blame returns why an engine failed that reported err. Where that is the weights, it tells so,
// and waits for those that are fetched once more: if they are wrong again, that is the reason.
func (w *served) blame(ctx context.Context, scope lifecycle.Scope, err error) error {
	if w == nil {
		return err
	}
	cause := w.wrong(ctx)
	if cause == nil || errors.Is(cause, lifecycle.Canceled) {
		return err
	}
	select {
	case <-w.arrival.Done():
		if _, last := w.arrival.Lease(); last != nil {
			cause = last
		}
	case <-ctx.Done():
	}
	scope.Begin(lifecycle.StageDownload, "what the engine has read of the weights").Close(cause)
	return lifecycle.InStage(cause, lifecycle.StageDownload)
}

// wrong returns what is known by now, of kind Canceled when that is nothing.
func (w *served) wrong(ctx context.Context) error {
	now, cancel := context.WithCancel(context.WithoutCancel(ctx)) // to ask and not to wait
	cancel()
	return w.reader.Verified(now)
}

// close ends the store. The engine has gone.
func (w *served) close() {
	if w == nil {
		return
	}
	if w.end != nil {
		w.end(nil)
		w.watching.Wait()
	}
	_ = w.store.Close() // nobody is left to be told
}
