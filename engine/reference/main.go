package reference

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference/internal/server"
	"github.com/spinup-llm/spinup/lifecycle"
)

// mainArg is the first argument of a program that is to become the engine.
const mainArg = "spinup-reference-engine"

// drainWithin is how long requests in flight may take after the signal to stop. It is below
// the default of engine.Options.StopWithin, so that the engine ends by itself.
const drainWithin = 25 * time.Second

// Main turns the program into the engine when it was started as one, and returns otherwise.
// Call it first in main or TestMain. The engine serves until SIGTERM or SIGINT, lets
// requests in flight end, and exits with 0; it exits with 1 when it cannot serve, and with
// 2 when its arguments make no sense.
func Main() {
	if len(os.Args) < 2 || os.Args[1] != mainArg {
		hosted.Store(true)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt) //nolint:forbidigo // where a process begins
	code := run(ctx, os.Args[2:], os.Stdout)
	stop()
	os.Exit(code)
}

// run is the engine process. It returns the exit code.
func run(ctx context.Context, args []string, out io.Writer) int {
	report := reporter(out)
	spec, err := readArgs(args)
	if err != nil {
		report(failed(err))
		return 2
	}
	err = serve(ctx, spec, report)
	if err != nil && ctx.Err() == nil {
		report(failed(err))
		return 1
	}
	return 0
}

func readArgs(args []string) (engine.Spec, error) {
	var spec engine.Spec
	var text string
	var o options
	flags := flag.NewFlagSet(mainArg, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&spec.ModelID, "id", "", "name of the model")
	flags.StringVar(&spec.Dir, "dir", "", "folder of the model")
	flags.StringVar(&spec.Addr, "addr", "", "host:port to listen on")
	flags.StringVar(&text, "options", "{}", "engine_kwargs that count, as JSON")
	err := flags.Parse(args)
	if err == nil {
		err = json.Unmarshal([]byte(text), &o)
	}
	spec.Kwargs = o.kwargs()
	if err != nil {
		return spec, &lifecycle.Error{
			Op: "reference.Main", Kind: lifecycle.Invalid, Target: "arguments", Err: err,
			Hint: "start the engine through engine.Start, from the same version of the program",
		}
	}
	return spec, nil
}

// serve listens at once, so that health checks see the engine load, and serves until ctx
// ends.
func serve(ctx context.Context, spec engine.Spec, report func(line)) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", spec.Addr)
	if err != nil {
		return &lifecycle.Error{
			Op: "reference.Main", Kind: lifecycle.Invalid, Target: spec.Addr, Err: err,
			Hint: "choose another host:port, or none for a free one",
		}
	}
	api := server.New(spec.ModelID)
	srv := &http.Server{Handler: api, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	b, err := load(ctx, spec, report)
	if err == nil {
		api.Serve(b)
		select {
		case <-ctx.Done():
		case err = <-ended: // the listener broke
			return err
		}
	}
	return errors.Join(err, drain(ctx, srv))
}

// drain lets requests in flight end; those that take too long are given up.
func drain(ctx context.Context, srv *http.Server) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	if err := srv.Shutdown(within); err != nil {
		return srv.Close()
	}
	return nil
}
