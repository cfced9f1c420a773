package lifecycle_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spinup-llm/spinup/lifecycle"
)

func ExampleTimeline() {
	events := slices.Concat(
		span("1", "", lifecycle.StageResolve, 0, 0.5),
		span("2", "", lifecycle.StageDownload, 0.5, 4),
		span("3", "", lifecycle.StageCallback, 0.5, 2),
		span("4", "", lifecycle.StageLoadWeights, 4, 9),
		span("5", "", lifecycle.StageReady, 9, 9),
	)
	_, _ = lifecycle.TimelineOf(slices.Values(events)).WriteTo(os.Stdout)
	// Output:
	// STAGE         REPLICA  START  SECONDS  WHAT
	// resolve       m#1      0.000  0.500
	// download      m#1      0.500  3.500
	// callback      m#1      0.500  1.500
	// load_weights  m#1      4.000  5.000
	// ready         m#1      9.000
	//
	// m#1: ready after 9.000 s, unattributed 0.000 s (0.0 %)
	// critical path: resolve 0.500 → download 3.500 → load_weights 5.000
}

func ExampleError() {
	err := fmt.Errorf("starting llama: %w", &lifecycle.Error{
		Op: "source.Resolve", Kind: lifecycle.Gated, Target: "hf://meta-llama/Llama-3.2-1B",
		Hint: "accept the licence, then set HF_TOKEN",
	})
	if errors.Is(err, lifecycle.Gated) {
		for hint := range lifecycle.Hints(err) {
			fmt.Println(hint)
		}
	}
	// Output: accept the licence, then set HF_TOKEN
}

func ExampleEnvVars() {
	env := lifecycle.EnvVars{"HF_TOKEN": "hf_abcdef"}
	fmt.Printf("%+v\n", env)
	fmt.Println(env.Redact("401 for token hf_abcdef"))
	// Output:
	// [HF_TOKEN=[redacted]]
	// 401 for token [redacted]
}

// A stage is a span of a Scope. Its error has the stage, and the kind decides what follows.
func ExampleScope() {
	log := lifecycle.NewLog()
	scope := lifecycle.Scope{Emit: log.Append, Model: "m", Replica: "m#1"}
	err := scope.Run(context.Background(), lifecycle.StageCheck, func(_ context.Context, check lifecycle.Scope) error {
		check.Progress(1, 2, "config.json")
		return &lifecycle.Error{Op: "source.Check", Kind: lifecycle.MissingFile, Target: "tokenizer.json", Hint: "upload it"}
	})
	scope.Skip(lifecycle.StageDownload, "the model cannot be used")
	for _, e := range log.Snapshot() {
		fmt.Printf("%s %s %q\n", e.Stage, e.Phase, e.Message)
	}
	fmt.Println(lifecycle.KindOf(err) == lifecycle.MissingFile)
	// Output:
	// check begin ""
	// check progress "config.json"
	// check fail "source.Check tokenizer.json: missing file (upload it)"
	// download skip "the model cannot be used"
	// true
}

func ExampleLog() {
	log := lifecycle.NewLog()
	scope := lifecycle.Scope{Emit: log.Append, Model: "m", Replica: "m#1"}
	download := scope.Begin(lifecycle.StageDownload, "")
	download.Progress(512, 1024, "model.safetensors")
	download.Close(nil)
	for _, e := range log.Snapshot() {
		fmt.Println(e.Seq, e.Stage, e.Phase, e.Done)
	}
	// Output:
	// 1 download begin 0
	// 2 download progress 512
	// 3 download end 0
}
