// Embed mounts a model in an existing net/http service and stops both in order: first no
// new requests, then no more model.
//
//	go run ./examples/embed [-addr HOST:PORT]
//	curl localhost:8080/llm/v1/models
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/spinup-llm/spinup/lifecycle"
	"golang.org/x/sync/errgroup"
)

func main() {
	reference.Main() // becomes the engine when the program is started as one

	os.Exit(cli.Main(false, run))
}

func run(ctx context.Context, args []string) error {
	flags := cli.Flags("embed [-addr HOST:PORT]")
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on; port 0 takes a free one")
	if _, err := cli.Parse(flags, args, 0); err != nil {
		return err
	}
	dep, err := spinup.New(nil, &spinup.LLMConfig{
		LLMEngine: "reference",
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID:     "tiny",
			ModelSource: spinup.From("examples/quickstart/model"),
		},
	})
	if err != nil {
		return err
	}
	l, err := spinup.Listen(ctx, *addr)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "listening on http://%s\n", l.Addr())

	mux := http.NewServeMux() // the service that was there before
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	mux.Handle("/llm/", http.StripPrefix("/llm", dep.Handler()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return dep.Run(context.WithoutCancel(ctx)) }) // outlives the server
	g.Go(func() error {
		for e := range dep.Events(ctx) {
			if e.Stage == lifecycle.StageReady && e.Phase == lifecycle.End {
				slog.Info("ready", "replica", e.Replica)
			}
		}
		return nil
	})
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return errors.Join(server.Shutdown(grace), dep.Stop(grace))
	})
	return g.Wait()
}
