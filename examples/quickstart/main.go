// Quickstart takes the small model beside it from configuration to an answer on the
// embedded reference engine, prints what every stage took, and exits.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/cli"
)

func main() {
	reference.Main()              // becomes the engine when the program is started as one
	os.Exit(cli.Main(false, run)) // ends ctx on a signal, and tells an error with its hint
}

func run(ctx context.Context, args []string) error {
	if _, err := cli.Parse(cli.Flags("quickstart"), args, 0); err != nil {
		return err
	}
	dep, err := spinup.New(&spinup.Options{Logger: slog.New(slog.DiscardHandler)}, &spinup.LLMConfig{
		LLMEngine: "reference",
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID:     "tiny",
			ModelSource: spinup.From("examples/quickstart/model"), // or org/name of the hub, https://…
		},
	})
	if err != nil {
		return err
	}
	if err = dep.Start(ctx); err != nil {
		return err
	}
	defer dep.Stop(context.WithoutCancel(ctx)) //nolint:errcheck // nothing to do about it at the end
	if err = dep.Ready(ctx); err != nil {
		return err
	}
	question := "What does a deployment do first?"
	answer, err := ask(ctx, dep.Handler(), question)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n\n", question, answer)
	_, err = dep.Timeline().WriteTo(os.Stdout)
	return err
}

// ask sends one chat message to the OpenAI API and returns the answer. The handler is called
// in this process; a server would mount it at an address.
func ask(ctx context.Context, api http.Handler, question string) (string, error) {
	body, err := json.Marshal(map[string]any{
		"model":       "tiny",
		"messages":    []map[string]string{{"role": "user", "content": question}},
		"temperature": 0,
		"max_tokens":  64,
	})
	if err != nil {
		return "", err
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/chat/completions", strings.NewReader(string(body)))
	api.ServeHTTP(w, r)
	var chat struct {
		Choices []struct {
			Message struct{ Content string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &chat); err != nil || len(chat.Choices) == 0 {
		return "", fmt.Errorf("%d: %s", w.Code, w.Body)
	}
	return chat.Choices[0].Message.Content, nil
}
