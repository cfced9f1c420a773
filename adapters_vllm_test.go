//go:build unix

package spinup_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/internal/s3test"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// continues returns what the model writes after a prompt.
func continues(t *testing.T, url, model string) string {
	t.Helper()
	body := fmt.Sprintf(`{"model":%q,"prompt":"Hello","max_tokens":8,"temperature":0}`, model)
	code, answer := ask(t, http.DefaultClient, url+"/v1/completions", body, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, code, answer)
	var got struct {
		Model   string
		Choices []struct{ Text string }
	}
	_, answer, _ = strings.Cut(answer, " ")
	require.NoError(t, json.Unmarshal([]byte(answer), &got), answer)
	require.Equal(t, model, got.Model)
	return got.Choices[0].Text
}

// TestAdaptersWithVLLM serves adapters from a real S3 server and then, after an Update, from a
// directory, with more of them than a replica holds.
func TestAdaptersWithVLLM(t *testing.T) {
	t.Parallel()
	program, python, server := testenv.VLLM(t), testenv.Python(t), s3test.Start(t)
	model, shelf := t.TempDir(), t.TempDir()
	require.NoError(t, randmodel.Write(model, randmodel.Options{}))
	for i, name := range []string{"a", "b", "c", "high", "dora"} {
		o := randmodel.AdapterOptions{Seed: uint64(i)}
		if name == "high" {
			o.Rank = 32
		}
		require.NoError(t, randmodel.WriteAdapter(filepath.Join(shelf, name), o))
	}
	file := filepath.Join(shelf, "dora", "adapter_config.json")
	config, err := os.ReadFile(file)
	require.NoError(t, err)
	config = []byte(strings.Replace(string(config), "{", `{"use_dora": true,`, 1))
	require.NoError(t, os.WriteFile(file, config, 0o600))
	server.Upload(t, "models", "adapters", shelf)

	home := t.TempDir()
	env := server.Env()
	env["VLLM_CACHE_ROOT"], env["VLLM_CPU_KVCACHE_SPACE"] = filepath.Join(home, "vllm"), "1"
	cfg := &spinup.LLMConfig{
		ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "tiny", ModelSource: spinup.From(model)},
		EngineKwargs:       spinup.EngineOptions{EnforceEager: new(true), MaxModelLen: 512},
		LoraConfig:         &spinup.LoraConfig{DynamicLoraLoadingPath: "s3://models/adapters", MaxNumAdaptersPerReplica: 2},
		RuntimeEnv:         spinup.RuntimeEnv{EnvVars: env},
	}
	o := withS3(t, vllm.Engine{Path: program})
	d := begin(t, o, cfg)
	require.NoError(t, d.Ready(t.Context()))
	door := httptest.NewServer(d.Handler())
	defer door.Close()

	texts := map[string]string{}
	for _, name := range []string{"tiny", "tiny:a", "tiny:b"} {
		texts[name] = continues(t, door.URL, name)
	}
	require.NotEqual(t, texts["tiny"], texts["tiny:a"])
	require.NotEqual(t, texts["tiny"], texts["tiny:b"])
	require.NotEqual(t, texts["tiny:a"], texts["tiny:b"])
	var wg sync.WaitGroup // all in one batch, but for the model alone: see docs/lora.md
	for name, text := range texts {
		if name == "tiny" {
			continue
		}
		for range 3 {
			wg.Go(func() {
				if got := continues(t, door.URL, name); got != text {
					t.Errorf("%s: %q beside others, %q alone", name, got, text)
				}
			})
		}
	}
	wg.Wait()
	code, body := ask(t, http.DefaultClient, door.URL+"/tokenize", `{"model":"tiny:a","prompt":"Hello"}`, "Content-Type", "application/json")
	require.Equal(t, http.StatusOK, code, body)
	client, err := exec.CommandContext(t.Context(), python, "examples/testdata/chat.py", door.URL, "tiny:a").CombinedOutput()
	require.NoError(t, err, string(client))

	require.NotEqual(t, texts["tiny:b"], continues(t, door.URL, "tiny:c"), "it took the place of b")
	require.Equal(t, []string{"a", "c"}, d.Status()[0].Replicas[0].Adapters)
	require.Equal(t, texts["tiny:b"], continues(t, door.URL, "tiny:b"))
	for name, says := range map[string]string{"high": "set engine_kwargs.max_lora_rank to 32", "dora": "the engine refuses it", "d": "did you mean"} {
		code, body := ask(t, http.DefaultClient, door.URL+"/v1/completions", `{"model":"tiny:`+name+`","prompt":"x"}`, "Content-Type", "application/json")
		require.NotEqual(t, http.StatusOK, code)
		require.Contains(t, body, says)
	}
	require.Equal(t, 0, d.Status()[0].Replicas[0].Restarts)

	next := *cfg
	next.LoraConfig = &spinup.LoraConfig{DynamicLoraLoadingPath: shelf}
	require.NoError(t, d.Update(t.Context(), &next))
	require.Equal(t, texts["tiny:a"], continues(t, door.URL, "tiny:a"))
	require.ErrorIs(t, d.Update(t.Context(), &spinup.LLMConfig{}), lifecycle.Invalid)
}
