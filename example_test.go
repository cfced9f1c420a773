package spinup_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
)

// query sends a prompt to the OpenAI API, and returns the answer or what is wrong. Headers
// are in pairs.
func query(api http.Handler, model string, headers ...string) string {
	body, _ := json.Marshal(map[string]any{"model": model, "prompt": "Hello", "max_tokens": 1})
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/completions", strings.NewReader(string(body)))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	var answer struct {
		Model string
		Error struct{ Message string }
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	if w.Code != http.StatusOK {
		return fmt.Sprint(w.Code, " ", answer.Error.Message)
	}
	return answer.Model + " answers"
}

// deploy brings up a deployment that stop ends.
func deploy(o *spinup.Options, cfgs ...*spinup.LLMConfig) (d *spinup.Deployment, stop func()) {
	ctx := context.Background()
	d, err := spinup.New(o, cfgs...)
	must(err)
	must(d.Start(ctx))
	must(d.Ready(ctx))
	return d, func() { _ = d.Stop(ctx) }
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// The life of a deployment, from its configuration to its end. ListenAndServe and Serve do
// all of this; a program with a server of its own does it itself.
func ExampleNew() {
	ctx := context.Background()
	dep, err := spinup.New(nil, &spinup.LLMConfig{
		LLMEngine: "reference", // leave it out for vLLM
		ModelLoadingConfig: spinup.ModelLoadingConfig{
			ModelID:     "tiny",
			ModelSource: spinup.From("examples/quickstart/model"),
		},
	})
	if err != nil { // whatever is wrong with the configuration, all at once
		fmt.Println(err)
		return
	}
	if err = dep.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if err = dep.Ready(ctx); err != nil { // why it cannot start, and what to do about it
		fmt.Println(err)
		return
	}
	fmt.Println(query(dep.Handler(), "tiny"))
	fmt.Println(query(dep.Handler(), "tni"))
	fmt.Println(dep.Stop(ctx))
	// Output:
	// tiny answers
	// 404 the model "tni" does not exist; known models: tiny
	// <nil>
}

// Events tell what a start does while it does it. Who comes late hears everything from the
// beginning, and who is slow holds up nobody.
func ExampleDeployment_Events() {
	ctx := context.Background()
	dep, stop := deploy(quiet(), tiny())
	defer stop()
	for e := range dep.Events(ctx) {
		shown := []lifecycle.Stage{lifecycle.StageLoadWeights, lifecycle.StageWarmup, lifecycle.StageReady}
		if slices.Contains(shown, e.Stage) && e.Phase != lifecycle.Progress {
			fmt.Println(e.Replica, e.Stage, e.Phase)
		}
		if e.Stage == lifecycle.StageReady {
			break
		}
	}
	// Output:
	// tiny#1 load_weights begin
	// tiny#1 load_weights end
	// tiny#1 warmup begin
	// tiny#1 warmup end
	// tiny#1 ready begin
}

// A new configuration takes the place of the old one when its replicas are ready. A wrong one
// changes nothing.
func ExampleDeployment_Update() {
	ctx := context.Background()
	dep, stop := deploy(quiet(), tiny())
	defer stop()

	wrong := tiny()
	wrong.ModelLoadingConfig.ModelSource = spinup.From("examples/quickstart/modell")
	fmt.Println(lifecycle.KindOf(dep.Update(ctx, wrong)))
	for _, r := range dep.Status()[0].Replicas {
		fmt.Println(r.ID, r.Stage)
	}

	larger := tiny()
	larger.EngineKwargs.MaxModelLen = 256
	fmt.Println(dep.Update(ctx, larger))
	for _, r := range dep.Status()[0].Replicas {
		fmt.Println(r.ID, r.Stage)
	}
	// Output:
	// not found
	// tiny#1 ready
	// <nil>
	// tiny#3 ready
}

// With min_replicas 0 nothing runs until somebody asks. The first request starts a replica
// and waits for it.
func ExampleAutoscalingConfig() {
	cfg := tiny()
	cfg.DeploymentConfig.AutoscalingConfig = &spinup.AutoscalingConfig{MinReplicas: new(0), MaxReplicas: 2}
	dep, stop := deploy(quiet(), cfg)
	defer stop()

	fmt.Println(dep.Status()[0].Ready, "replicas")
	fmt.Println(query(dep.Handler(), "tiny"))
	fmt.Println(dep.Status()[0].Ready, "replica")
	// Output:
	// 0 replicas
	// tiny answers
	// 1 replica
}

// A file may hold several applications, each with a path of its own.
func ExampleFromApplications() {
	apps, err := spinup.Load("config.yaml", strings.NewReader(`
applications:
- name: chat
  route_prefix: /chat
  args: {llm_configs: [{llm_engine: reference, model_loading_config: {model_id: tiny, model_source: examples/quickstart/model}}]}
- name: drafts
  route_prefix: /drafts
  args: {llm_configs: [{llm_engine: reference, model_loading_config: {model_id: small, model_source: examples/quickstart/model}}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	dep, err := spinup.FromApplications(quiet(), apps)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range []string{"/chat/v1/models", "/drafts/v1/models"} {
		w := httptest.NewRecorder()
		dep.Handler().ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
		var list struct{ Data []struct{ ID string } }
		_ = json.Unmarshal(w.Body.Bytes(), &list)
		fmt.Println(path, list.Data)
	}
	// Output:
	// /chat/v1/models [{tiny}]
	// /drafts/v1/models [{small}]
}

// The door asks for keys, and knows the model by the name that clients have for it.
func ExampleOptions_gateway() {
	o := quiet()
	o.Gateway.Keys = replica.Keys{replica.NewKey("secret-of-the-team")}
	o.Aliases = map[string]string{"gpt-4o": "tiny"}
	dep, stop := deploy(o, tiny())
	defer stop()

	fmt.Println(query(dep.Handler(), "gpt-4o"))
	fmt.Println(query(dep.Handler(), "gpt-4o", "Authorization", "Bearer secret-of-the-team"))
	// Output:
	// 401 the API key is missing, wrong, or not good for this; send one as Authorization: Bearer KEY
	// tiny answers
}

// Files of buckets come to where they are wanted while the model is fetched.
func ExampleCloudDownloader() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	apps, err := spinup.Load("config.yaml", strings.NewReader(`
llm_engine: reference
model_loading_config: {model_id: tiny, model_source: examples/quickstart/model}
callback_config:
  callback_class: CloudDownloader
  callback_kwargs: {paths: [["gs://models/tiny", "`+dir+`"]]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	o := quiet()
	o.Sources = spinup.Sources()
	o.Sources.Handle("gs", func(context.Context, *url.URL, *source.OpenOptions) (source.Source, error) {
		return local.New("examples/quickstart/model") // in a program gcs.Opener(nil)
	})
	_, stop := deploy(o, apps[0].Args.LLMConfigs...)
	defer stop()

	_, err = os.Stat(filepath.Join(dir, "config.json"))
	fmt.Println("config.json:", err)
	// Output: config.json: <nil>
}
