package spinup

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spinup-llm/spinup/internal/idle"
	"github.com/spinup-llm/spinup/lifecycle"
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

// Serve runs d behind an HTTP server on l (HTTPS with [Options].TLS), from Start to Stop, until ctx ends or [Deployment.Run]
// would end. At the end it takes no new connections, lets the requests in flight end,
// and then stops the engines; all of it within the drain limit. It returns nil after ctx
// has ended.
func (d *Deployment) Serve(ctx context.Context, l net.Listener) error {
	return d.ServeHandler(ctx, l, d.Handler())
}

// ServeHandler is Serve with a handler of the caller's around or beside d.Handler().
func (d *Deployment) ServeHandler(ctx context.Context, l net.Listener, h http.Handler) error {
	server := d.server(h)
	if server.TLSConfig == nil {
		parking := idle.Listen(l, server.IdleTimeout)
		l, server.ConnState = parking, parking.State
	}
	ended, served := make(chan error, 1), make(chan error, 1)
	go func() { ended <- d.Run(context.WithoutCancel(ctx)) }()
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(l, "", "")
			return
		}
		served <- server.Serve(l)
	}()
	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-ended:
		_ = server.Close()
		return err
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.drain)
	defer cancel()
	if server.Shutdown(limit) != nil {
		_ = server.Close() // what has not ended within the limit is cut
	}
	return errors.Join(err, d.Stop(limit), <-ended)
}

// server holds out against clients that are slow or send too much. What concerns the body of
// a request and its answer is the gateway's part.
func (d *Deployment) server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		TLSConfig:         d.opts.TLS,
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute, // longer than load balancers keep a connection
		ErrorLog:          slog.NewLogLogger(d.logger.Handler(), slog.LevelDebug),
	}
}
