// Command engine serves with an engine of one's own: driver.go is the driver, server.go
// stands for the engine. The answer is what the engine heard.
//
//	go run ./examples/engine
package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/internal/cli"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == serverArg {
		serve(os.Args[2], os.Args[3])
	}
	os.Exit(cli.Main(false, run))
}

func run(ctx context.Context, args []string) error {
	if _, err := cli.Parse(cli.Flags("engine"), args, 0); err != nil {
		return err
	}
	engines := spinup.Engines()
	engines[Parrot{}.Name()] = Parrot{}
	dep, err := spinup.New(
		&spinup.Options{Engines: engines, Logger: slog.New(slog.DiscardHandler)},
		&spinup.LLMConfig{
			LLMEngine: "parrot",
			ModelLoadingConfig: spinup.ModelLoadingConfig{
				ModelID: "polly", ModelSource: spinup.From("examples/quickstart/model"),
			},
		})
	if err != nil {
		return err
	}
	if err = dep.Start(ctx); err != nil {
		return err
	}
	defer func() { _ = dep.Stop(context.WithoutCancel(ctx)) }()
	if err = dep.Ready(ctx); err != nil {
		return err
	}
	question := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions",
		strings.NewReader(`{"model":"polly","prompt":"Polly wants a cracker"}`))
	answer := httptest.NewRecorder()
	dep.Handler().ServeHTTP(answer, question)
	_, err = io.Copy(os.Stdout, answer.Result().Body)
	return err
}
