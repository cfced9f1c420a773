package spinup_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
)

// Everything that is wrong with a file is told at once.
func ExampleLoad() {
	const file = `
applications:
- name: llm_app
  args:
    llm_configs:
    - accelerator_typ: A10G
      model_loading_config:
        model_idd: my_llama
      engine_kwargs: {max_model_len: 8k}
      deployment_config:
        autoscaling_config: {min_replicas: 2, max_replicas: 1}
`
	_, err := spinup.Load("config.yaml", strings.NewReader(file))
	for e := range lifecycle.Errors(err) {
		at, path, _ := strings.Cut(e.Target, " applications[0].args.llm_configs[0].")
		fmt.Printf("%s %s\n\t%v", at, path, e.Err)
		if e.Hint != "" {
			fmt.Printf(" (%s)", e.Hint)
		}
		fmt.Println()
	}
	// Output:
	// config.yaml:6:7 accelerator_typ
	// 	unknown field (did you mean accelerator_type?)
	// config.yaml:8:9 model_loading_config.model_idd
	// 	unknown field (did you mean model_id?)
	// config.yaml:9:38 engine_kwargs.max_model_len
	// 	want a whole number, have text (give a whole number of tokens, such as 8192, or -1 for as many as fit; leave it out for the model's own)
	// config.yaml:11:61 deployment_config.autoscaling_config.max_replicas
	// 	max_replicas (1) is less than min_replicas (2) (raise max_replicas)
}

// Fields that only Ray uses are accepted, with a warning.
func ExampleLoad_warnings() {
	const file = `
model_loading_config: {model_id: my_llama}
server_cls: my.Server
`
	apps, err := spinup.Load("config.yaml", strings.NewReader(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(apps[0].Args.LLMConfigs[0].ModelLoadingConfig.ModelID)
	fmt.Println(apps[0].Warnings)
	// Output:
	// my_llama
	// [config.yaml:3:1 server_cls: it has no effect here: only Ray uses it]
}

// Announce is configured by callback_kwargs.
type Announce struct {
	spinup.NopCallback
	Channel string `yaml:"channel"`
}

// OnReady implements spinup.Callback.
func (a *Announce) OnReady(ctx context.Context, s *spinup.ReplicaState) error {
	s.Log.InfoContext(ctx, "ready", slog.String("channel", a.Channel))
	return nil
}

// A callback is named in the file; its kwargs are checked before anything starts.
func ExampleRegisterCallback() {
	spinup.RegisterCallback("Announce", func(a Announce) (spinup.Callback, error) { return &a, nil })

	_, err := spinup.Load("config.yaml", strings.NewReader(`
model_loading_config: {model_id: my_llama}
callback_config:
  callback_class: Announce
  callback_kwargs: {chanel: ops}
`))
	fmt.Println(err)
	// Output:
	// spinup.Load config.yaml:5:21 callback_config.callback_kwargs.chanel: invalid: unknown field (did you mean channel?)
}

// A source may be a model of the hub, with a revision.
func ExampleModelSource_Repo() {
	fmt.Println(spinup.From("meta-llama/Meta-Llama-3-8B@main").Repo())
	fmt.Println(spinup.From("s3://bucket/model").Repo())
	// Output:
	// meta-llama/Meta-Llama-3-8B main true
	//   false
}

// The engine's keyword arguments travel under the engine's names.
func ExampleEngineOptions_All() {
	o := spinup.EngineOptions{MaxModelLen: 8192, EnforceEager: new(false), Extra: map[string]any{"dtype": "bfloat16"}}
	for name, value := range o.All() {
		fmt.Println(name, value)
	}
	// Output:
	// dtype bfloat16
	// enforce_eager false
	// max_model_len 8192
}
