package vllm_test

import (
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/randmodel"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
}

// edit changes keys of a config.json; nil removes one.
func edit(changes map[string]any) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, "config.json"))
		require.NoError(t, err)
		var config map[string]any
		require.NoError(t, json.Unmarshal(data, &config))
		for k, v := range changes {
			config[k] = v
			if v == nil {
				delete(config, k)
			}
		}
		data, err = json.Marshal(config)
		require.NoError(t, err)
		write(t, dir, "config.json", string(data))
	}
}

func remove(names ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		for _, name := range names {
			require.NoError(t, os.Remove(filepath.Join(dir, name)))
		}
	}
}

func put(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir, name, content)
	}
}

func cut(name string, size int64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		require.NoError(t, os.Truncate(filepath.Join(dir, name), size))
	}
}

type checkCase struct {
	damage func(*testing.T, string)
	spec   engine.Spec
	opts   randmodel.Options
	kind   lifecycle.Kind // Unknown: nothing is wrong
	target string         // its end
	hint   string         // a part of it
}

var fourShards = randmodel.Options{Shards: 4}

func kwargs(pairs ...any) engine.Spec {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return engine.Spec{Kwargs: m}
}

var modelCases = map[string]checkCase{
	"whole":              {},
	"whole, four shards": {opts: fourShards},
	"no config.json":     {damage: remove("config.json"), kind: lifecycle.MissingFile, target: "/config.json", hint: "config.json"},
	"config.json is cut": {damage: put("config.json", `{"architectures": [`), kind: lifecycle.Corrupt, target: "/config.json", hint: "fetch"},
	"Mistral's format": {damage: func(t *testing.T, dir string) {
		t.Helper()
		remove("config.json")(t, dir)
		write(t, dir, "params.json", "{}")
	}},
	"unknown architecture":   {damage: edit(map[string]any{"architectures": []string{"LlamaaForCausalLM"}}), kind: lifecycle.Invalid, target: "/config.json", hint: "LlamaForCausalLM"},
	"only in transformers":   {damage: edit(map[string]any{"architectures": []string{"Other7ForCausalLM"}})},
	"in another role":        {damage: edit(map[string]any{"architectures": []string{"LlamaForSequenceClassification"}})},
	"no architecture":        {damage: edit(map[string]any{"architectures": nil})},
	"own code, not trusted":  {damage: edit(map[string]any{"architectures": []string{"Mine"}, "auto_map": map[string]any{"AutoConfig": "conf.C"}}), kind: lifecycle.Invalid, target: "engine_kwargs.trust_remote_code", hint: "trust_remote_code: true"},
	"own code, left out":     {damage: edit(map[string]any{"architectures": []string{"Mine"}, "auto_map": map[string]any{"AutoConfig": "conf.C"}}), spec: kwargs("trust_remote_code", true), kind: lifecycle.MissingFile, target: "/conf.py", hint: "*.py"},
	"own code, elsewhere":    {damage: edit(map[string]any{"architectures": []string{"Mine"}, "auto_map": map[string]any{"AutoConfig": "org/x--conf.C"}}), spec: kwargs("trust_remote_code", true)},
	"no tokenizer":           {damage: remove("tokenizer.json", "tokenizer_config.json"), kind: lifecycle.MissingFile, target: "/tokenizer.json", hint: "tokenizer"},
	"no tokenizer, not used": {damage: remove("tokenizer.json"), spec: kwargs("skip_tokenizer_init", true)},
	"tokenizer of the hub":   {damage: remove("tokenizer.json"), spec: kwargs("tokenizer", "org/other")},
	"tokenizer is cut":       {damage: cut("tokenizer.json", 1000), kind: lifecycle.Corrupt, target: "/tokenizer.json", hint: "fetch"},
	"heads and ranks":        {spec: kwargs("tensor_parallel_size", 3), kind: lifecycle.Invalid, target: "engine_kwargs.tensor_parallel_size", hint: "choose one of 1, 2, 4"},
	"heads fit ranks":        {spec: kwargs("tensor_parallel_size", 4)},
	"too long":               {spec: kwargs("max_model_len", 16385), kind: lifecycle.Invalid, target: "engine_kwargs.max_model_len", hint: "16384 or less"},
	"too long, in k":         {spec: kwargs("max_model_len", "17k"), kind: lifecycle.Invalid, target: "engine_kwargs.max_model_len", hint: "16384 or less"},
	"as long as it gets":     {spec: kwargs("max_model_len", "16K")},
	"fitted by vLLM":         {spec: kwargs("max_model_len", "auto")},
	"no length":              {spec: kwargs("max_model_len", "long"), kind: lifecycle.Invalid, target: "engine_kwargs.max_model_len", hint: "8192, or -1"},
	"too long, allowed":      {spec: engine.Spec{Kwargs: map[string]any{"max_model_len": 99999}, Env: lifecycle.EnvVars{"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}}},
	"stretched":              {damage: edit(map[string]any{"rope_scaling": map[string]any{"type": "linear", "factor": 4.0}}), spec: kwargs("max_model_len", 65536)},
	"stretched by yarn":      {damage: edit(map[string]any{"rope_scaling": map[string]any{"rope_type": "yarn", "factor": 4.0}}), spec: kwargs("max_model_len", 65536)},
	"stretched already":      {damage: edit(map[string]any{"rope_scaling": map[string]any{"rope_type": "llama3", "factor": 8.0}}), spec: kwargs("max_model_len", 16385), kind: lifecycle.Invalid, target: "max_model_len", hint: "16384"},
	"part of a larger model": {damage: edit(map[string]any{"text_config": map[string]any{"max_position_embeddings": 512.0}}), spec: kwargs("max_model_len", 1024), kind: lifecycle.Invalid, target: "max_model_len", hint: "512 or less"},
	"overridden, by words":   {spec: kwargs("max_model_len", 99999, "hf_overrides", `{"max_position_embeddings": 131072}`)},
	"overridden, stretched":  {spec: kwargs("max_model_len", 65536, "hf_overrides", map[string]any{"rope_parameters": map[string]any{"rope_type": "linear", "factor": 4}})},
	"overridden":             {spec: kwargs("max_model_len", 99999, "hf_overrides", map[string]any{"max_position_embeddings": 131072.0})},
}

// emptyShard is a safetensors file without tensors.
const emptyShard = "\x02\x00\x00\x00\x00\x00\x00\x00{}"

var weightCases = map[string]checkCase{
	"no weights":             {damage: remove("model.safetensors"), kind: lifecycle.MissingFile, target: "", hint: "*.safetensors"},
	"no weights are needed":  {damage: remove("model.safetensors"), spec: kwargs("load_format", "dummy")},
	"a shard is missing":     {opts: fourShards, damage: remove("model-00002-of-00004.safetensors"), kind: lifecycle.MissingFile, target: "model-00002-of-00004.safetensors", hint: "index"},
	"no index, a gap":        {opts: fourShards, damage: remove("model-00002-of-00004.safetensors", "model.safetensors.index.json"), kind: lifecycle.MissingFile, target: "model-00002-of-00004.safetensors", hint: "fetch"},
	"index is cut":           {opts: fourShards, damage: cut("model.safetensors.index.json", 100), kind: lifecycle.Corrupt, target: "index.json", hint: "fetch"},
	"a file is cut":          {damage: cut("model.safetensors", 100_000), kind: lifecycle.Corrupt, target: "/model.safetensors", hint: "fetch it again"},
	"a file is empty":        {damage: cut("model.safetensors", 0), kind: lifecycle.Corrupt, target: "/model.safetensors", hint: "fetch it again"},
	"a file is a pointer":    {damage: put("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), kind: lifecycle.Corrupt, target: "/model.safetensors", hint: "fetch it again"},
	"one of several is cut":  {opts: fourShards, damage: cut("model-00003-of-00004.safetensors", 5000), kind: lifecycle.Corrupt, target: "model-00003-of-00004.safetensors", hint: "fetch it again"},
	"weights elsewhere":      {damage: remove("model.safetensors"), spec: engine.Spec{Weights: &url.URL{Scheme: "s3", Host: "b", Path: "/m"}}},
	"other files do no harm": {damage: put("notes.bin.txt", "x")},
	"Mistral's first": {opts: fourShards, damage: func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir, "consolidated.safetensors", emptyShard)
		remove("model-00002-of-00004.safetensors")(t, dir) // vLLM takes the others
	}},
	"Mistral's, a shard lacks": {damage: func(t *testing.T, dir string) {
		t.Helper()
		write(t, dir, "consolidated-00001-of-00002.safetensors", emptyShard)
		write(t, dir, "consolidated.safetensors.index.json", `{"weight_map":{"a":"consolidated-00001-of-00002.safetensors","b":"consolidated-00002-of-00002.safetensors"}}`)
	}, kind: lifecycle.MissingFile, target: "/consolidated-00002-of-00002.safetensors", hint: "consolidated.safetensors.index.json"},
	"what no index names": {opts: fourShards, damage: put("old.safetensors", "cut")},
	"pytorch's own": {damage: func(t *testing.T, dir string) {
		t.Helper()
		remove("model.safetensors")(t, dir)
		write(t, dir, "pytorch_model.bin", "x")
	}},
	"GGUF is not ours": {damage: func(t *testing.T, dir string) {
		t.Helper()
		remove("model.safetensors")(t, dir)
		write(t, dir, "m.gguf", "x")
	}},
	"safetensors are ordered": {damage: func(t *testing.T, dir string) {
		t.Helper()
		remove("model.safetensors")(t, dir)
		write(t, dir, "pytorch_model.bin", "x")
	}, spec: kwargs("load_format", "safetensors"), kind: lifecycle.MissingFile, target: "", hint: "*.safetensors"},
}

var optionCases = map[string]checkCase{
	"unknown format":          {spec: kwargs("load_format", "nosuch"), kind: lifecycle.Invalid, target: "engine_kwargs.load_format", hint: "runai_streamer"},
	"misspelt format":         {spec: kwargs("load_format", "runai_steamer"), kind: lifecycle.Invalid, target: "engine_kwargs.load_format", hint: `did you mean "runai_streamer"?`},
	"capitals do not count":   {spec: kwargs("load_format", "SafeTensors")},
	"streamer":                {spec: kwargs("load_format", "runai_streamer", "model_loader_extra_config", map[string]any{"concurrency": 16, "memory_limit": -1})},
	"streamer, alien key":     {spec: kwargs("load_format", "runai_streamer", "model_loader_extra_config", map[string]any{"pattern": "x"}), kind: lifecycle.Invalid, target: "model_loader_extra_config.pattern", hint: "sharded"},
	"streamer, misspelt key":  {spec: kwargs("load_format", "runai_streamer", "model_loader_extra_config", map[string]any{"concurency": 1}), kind: lifecycle.Invalid, target: "model_loader_extra_config.concurency", hint: `"concurrency"`},
	"streamer, bad value":     {spec: kwargs("load_format", "runai_streamer", "model_loader_extra_config", map[string]any{"concurrency": 0}), kind: lifecycle.Invalid, target: "model_loader_extra_config.concurrency", hint: "default"},
	"streamer, no boolean":    {spec: kwargs("load_format", "runai_streamer", "model_loader_extra_config", map[string]any{"distributed": "y"}), kind: lifecycle.Invalid, target: "model_loader_extra_config.distributed", hint: "true or false"},
	"sharded":                 {damage: put("x-0.safetensors", emptyShard), spec: kwargs("load_format", "sharded_state", "model_loader_extra_config", map[string]any{"pattern": "x-{rank}.safetensors"})},
	"sharded, by default":     {damage: put("model-rank-0-part-0.safetensors", emptyShard), spec: kwargs("load_format", "runai_streamer_sharded")},
	"sharded, a rank lacks":   {damage: put("model-rank-0-part-0.safetensors", emptyShard), spec: kwargs("load_format", "sharded_state", "tensor_parallel_size", 2), kind: lifecycle.MissingFile, target: "model-rank-1-part-*.safetensors", hint: "parallelism"},
	"sharded, a cut file":     {damage: put("model-rank-0-part-0.safetensors", "cut"), spec: kwargs("load_format", "sharded_state"), kind: lifecycle.Corrupt, target: "model-rank-0-part-0.safetensors", hint: "fetch it again"},
	"sharded, bad pattern":    {spec: kwargs("load_format", "runai_streamer_sharded", "tensor_parallel_size", 2, "model_loader_extra_config", map[string]any{"pattern": "x-{part}"}), kind: lifecycle.Invalid, target: "model_loader_extra_config.pattern", hint: "model-rank-{rank}-part-{part}.safetensors"},
	"sharded, no pattern":     {spec: kwargs("load_format", "runai_streamer_sharded", "model_loader_extra_config", map[string]any{"pattern": 1}), kind: lifecycle.Invalid, target: "model_loader_extra_config.pattern", hint: "{rank}"},
	"sharded, misspelt key":   {damage: put("model-rank-0-part-0.safetensors", emptyShard), spec: kwargs("load_format", "runai_streamer_sharded", "model_loader_extra_config", map[string]any{"patern": "x"}), kind: lifecycle.Invalid, target: "model_loader_extra_config.patern", hint: `"pattern"`},
	"streamer of a bucket":    {damage: remove("model.safetensors"), spec: engine.Spec{Weights: &url.URL{Scheme: "s3", Host: "b", Path: "/m"}, Kwargs: map[string]any{"load_format": "runai_streamer"}}},
	"streamer without GCS":    {spec: engine.Spec{Weights: &url.URL{Scheme: "gs", Host: "b", Path: "/m"}, Kwargs: map[string]any{"load_format": "runai_streamer"}}, kind: lifecycle.NotFound, target: "runai_model_streamer_gcs", hint: "pip install"},
	"sharded, without keys":   {spec: engine.Spec{Weights: &url.URL{Scheme: "s3", User: url.User("anonymous"), Host: "b", Path: "/m"}, Kwargs: map[string]any{"load_format": "runai_streamer_sharded"}}, kind: lifecycle.Invalid, target: "engine_kwargs.load_format", hint: "anonymous@"},
	"default, alien key":      {spec: kwargs("model_loader_extra_config", map[string]any{"pattern": "x"}), kind: lifecycle.Invalid, target: "model_loader_extra_config.pattern", hint: "remove it"},
	"dummy takes none":        {spec: kwargs("load_format", "dummy", "model_loader_extra_config", map[string]any{"x": 1}), kind: lifecycle.Invalid, target: "model_loader_extra_config", hint: "remove"},
	"to sleep on a CPU":       {spec: engine.Spec{Sleeps: true}, kind: lifecycle.Invalid, target: "engine_kwargs.enable_sleep_mode", hint: "Options.SleepAfter"},
	"to sleep on a GPU":       {spec: engine.Spec{Sleeps: true, Devices: []string{"0"}}},
	"sleep mode on a CPU":     {spec: kwargs("enable_sleep_mode", true), kind: lifecycle.Invalid, target: "engine_kwargs.enable_sleep_mode", hint: "remove"},
	"misspelt option":         {spec: kwargs("max_modl_len", 1), kind: lifecycle.Invalid, target: "engine_kwargs.max_modl_len", hint: `"max_model_len"`},
	"KV cache beyond memory":  {spec: engine.Spec{Env: lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1000000"}}, kind: lifecycle.NoSpace, target: "VLLM_CPU_KVCACHE_SPACE", hint: "lower"},
	"no address":              {spec: engine.Spec{Addr: "localhost"}, kind: lifecycle.Invalid, target: "localhost", hint: "host:port"},
	"folder does not exist":   {spec: engine.Spec{Dir: "/nonexistent/model"}, kind: lifecycle.NotFound, target: "/nonexistent/model", hint: "path"},
	"other devices, no limit": {spec: engine.Spec{Devices: []string{"0"}, Env: lifecycle.EnvVars{"VLLM_CPU_KVCACHE_SPACE": "1000000"}}},
}

func TestCheck(t *testing.T) {
	t.Parallel()
	e := installation(t)
	for _, table := range []map[string]checkCase{modelCases, weightCases, optionCases} {
		for name, c := range table {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				dir := model(t, c.opts)
				if c.damage != nil {
					c.damage(t, dir)
				}
				c.spec.ModelID = "m"
				if c.spec.Dir == "" {
					c.spec.Dir = dir
				}
				err := e.Check(c.spec)
				if c.kind == lifecycle.Unknown {
					require.NoError(t, err)
					return
				}
				found := slices.Collect(lifecycle.Errors(err))
				require.Len(t, found, 1, "one problem, one error: %v", err)
				require.Equal(t, c.kind, found[0].Kind, "%v", err)
				require.True(t, strings.HasSuffix(found[0].Target, c.target), found[0].Target)
				require.Contains(t, found[0].Hint, c.hint)
				require.Error(t, found[0].Err)
			})
		}
	}
}

func TestCheckFindsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	dir := model(t, fourShards)
	remove("tokenizer.json", "model-00001-of-00004.safetensors")(t, dir)
	cut("model-00002-of-00004.safetensors", 400)(t, dir)
	cut("model-00003-of-00004.safetensors", 400)(t, dir)
	err := installation(t).Check(engine.Spec{ModelID: "m", Dir: dir, Kwargs: map[string]any{
		"max_model_len": 99999, "tensor_parallel_size": 3, "nonsense": 1, "load_format": "zip",
	}})
	var targets []string
	for e := range lifecycle.Errors(err) {
		targets = append(targets, filepath.Base(e.Target))
	}
	slices.Sort(targets)
	require.Equal(t, []string{
		"engine_kwargs.load_format", "engine_kwargs.max_model_len", "engine_kwargs.nonsense", "engine_kwargs.tensor_parallel_size",
		"tokenizer.json",
	}, targets, "an unknown format's files are not judged")
}

func TestCheckFindsTheTakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	err = installation(t).Check(engine.Spec{ModelID: "m", Dir: model(t, randmodel.Options{}), Addr: l.Addr().String()})
	require.ErrorIs(t, err, lifecycle.Unavailable)
	require.ErrorContains(t, err, l.Addr().String())
}

func TestCheckWithoutSourcesJudgesTheModelOnly(t *testing.T) {
	t.Parallel()
	e := emptyInstallation(t)
	dir := model(t, randmodel.Options{})
	edit(map[string]any{"architectures": []string{"Nobody"}})(t, dir)
	require.NoError(t, e.Check(engine.Spec{ModelID: "m", Dir: dir, Kwargs: map[string]any{"anything": 1, "load_format": "any"}}))
	cut("model.safetensors", 10)(t, dir)
	require.ErrorIs(t, e.Check(engine.Spec{ModelID: "m", Dir: dir}), lifecycle.Corrupt)
}

func TestCheckLeavesRoomForPlugins(t *testing.T) {
	t.Parallel()
	plugin := map[string]string{"mine-1.0.dist-info/entry_points.txt": "[vllm.general_plugins]\nmine = mine:register\n"}
	dir := model(t, randmodel.Options{})
	edit(map[string]any{"architectures": []string{"Nobody"}})(t, dir)
	spec := engine.Spec{ModelID: "m", Dir: dir, Kwargs: map[string]any{"load_format": "mine"}}
	require.NoError(t, installation(t, plugin).Check(spec))
	require.ErrorIs(t, installation(t).Check(spec), lifecycle.Invalid)
}

func TestCheckNamesWhatIsNotInstalled(t *testing.T) {
	t.Parallel()
	e := installation(t)
	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(filepath.Dir(e.Path)), "lib/python3.12/site-packages/runai_model_streamer")))
	err := e.Check(engine.Spec{ModelID: "m", Dir: model(t, randmodel.Options{}), Kwargs: map[string]any{"load_format": "runai_streamer"}})
	require.ErrorIs(t, err, lifecycle.NotFound)
	require.ErrorContains(t, err, "pip install 'vllm[runai]'")
}

func TestKwargsAreCheckedWithoutFiles(t *testing.T) {
	t.Parallel()
	e := installation(t)
	spec := kwargs("max_modl_len", 1, "load_format", "zip", "tensor_parallel_size", 3)
	require.Len(t, slices.Collect(lifecycle.Errors(e.CheckKwargs(spec))), 2)
	require.NoError(t, e.CheckKwargs(kwargs("max_model_len", 8192)))
}
