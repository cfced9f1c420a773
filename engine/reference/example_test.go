package reference_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference"
)

// A host starts the engine as a process of its own program.
func Example() {
	ctx := context.Background()
	p, err := engine.Start(ctx, reference.Engine{}, engine.Spec{ModelID: "tiny", Dir: "../../examples/quickstart/model"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Stop(ctx)
	fmt.Println(p.Ready(ctx))
	// Output:
	// <nil>
}

// A test serves a model without a process.
func ExampleHandler() {
	h, err := reference.Handler(context.Background(), engine.Spec{ModelID: "tiny", Dir: "../../examples/quickstart/model"})
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/chat/completions",
		strings.NewReader(`{"messages": [{"role": "user", "content": "What is spinup?"}], "temperature": 0}`)))
	var answer struct {
		Choices []struct{ Message struct{ Content string } }
	}
	if err := json.NewDecoder(w.Body).Decode(&answer); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Choices[0].Message.Content)
	// Output:
	// spinup is a Go library that takes a language model from a configuration to its first token, and then keeps it served.
}

// Check says what is wrong before anything is started.
func ExampleEngine_Check() {
	err := reference.Engine{}.Check(engine.Spec{ModelID: "tiny", Dir: "../../examples/quickstart/model", Kwargs: map[string]any{"max_modellen": 5}})
	fmt.Println(err)
	// Output:
	// reference.Check engine_kwargs.max_modellen: invalid: the reference engine has no such option (did you mean "max_model_len" or "max_log_len"?)
}
