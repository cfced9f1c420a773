package spinup

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
	"golang.org/x/sync/errgroup"
)

// ListenAndServe runs a deployment behind an HTTP server on addr until ctx ends; "" means
// 127.0.0.1:8000. See [Deployment.Serve].
func ListenAndServe(ctx context.Context, addr string, cfgs ...*LLMConfig) error {
	d, err := New(nil, cfgs...)
	if err != nil {
		return err
	}
	l, err := Listen(ctx, addr)
	if err != nil {
		return err
	}
	return d.Serve(ctx, l)
}

// Listen opens the address that a deployment is to be served on: "" means 127.0.0.1:8000,
// port 0 any free one.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:8000"
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "spinup.Listen", Kind: lifecycle.Invalid, Target: addr, Err: err,
			Hint: "choose another address as HOST:PORT; port 0 takes a free one",
		}
	}
	return l, nil
}

// Serve runs d behind an HTTP server on l, from Start to Stop, until ctx ends or a model
// fails for good. At the end it takes no new connections, lets the requests in flight end,
// and then stops the engines; all of it within the drain limit. It returns nil after ctx
// has ended.
func (d *Deployment) Serve(ctx context.Context, l net.Listener) error {
	return d.ServeHandler(ctx, l, d.Handler())
}

// ServeHandler is Serve with a handler of the caller's around or beside d.Handler().
func (d *Deployment) ServeHandler(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(d.logger.Handler(), slog.LevelDebug),
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.Run(running) }()
	var g errgroup.Group
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	var err error
	select {
	case <-ctx.Done():
		err = shutdown(ctx, server, d.drain)
		stop()
		err = errors.Join(err, <-ended)
	case err = <-ended:
		_ = server.Close()
	}
	return errors.Join(err, g.Wait())
}

// shutdown waits for the requests in flight, then cuts what is left.
func shutdown(ctx context.Context, server *http.Server, within time.Duration) error {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	if err := server.Shutdown(limit); err != nil {
		return server.Close()
	}
	return nil
}
