package llamacpp

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// optionList holds the long options of llama-server, spelled as engine_kwargs are, by kind:
// "value" takes one, "pair" two, "onoff" is on, off or auto, "flag" stands alone. The test of
// the list makes it anew from what the installed program's --help says.
//
//go:embed options.txt
var optionList string

// options returns the kinds by name.
func options() map[string]string {
	kinds := map[string]string{"model_file": "ours", "tensor_parallel_size": "ours"}
	for line := range strings.Lines(optionList) {
		words := strings.Fields(line)
		for _, name := range words[1:] {
			kinds[name] = words[0]
		}
	}
	return kinds
}

const (
	hostsAddress = "the host chooses the address"
	hostsModel   = "set model_loading_config.model_source: the host brings the files"
	loopback     = "the engine listens on loopback only; ask for keys and speak TLS where clients come in"
	noServer     = "the option makes llama-server print something and end"
	hostsLog     = "the host reads the output; see the Logger at debug level"
	oneModel     = "a replica serves one model; give each its own configuration"
)

// reserved are the options that this package sets, that fetch another model, or that would
// cut the host off from the server, with what to use instead.
var reserved = map[string]string{ //nolint:gosec // names, not credentials
	"model":     "set model_file to choose among the files of model_source",
	"tokenizer": "it is in the GGUF file: remove tokenizer_source",
	"alias":     "set model_loading_config.model_id", "metrics": "it is always on", "tags": "model_id names the model",
	"host": hostsAddress, "port": hostsAddress, "reuse_port": hostsAddress, "api_prefix": "routes are chosen where clients come in",
	"api_key": loopback, "api_key_file": loopback, "ssl_key_file": loopback, "ssl_cert_file": loopback,
	"model_url": hostsModel, "docker_repo": hostsModel, "hf_repo": hostsModel, "hf_file": hostsModel, "mmproj_url": hostsModel,
	"hf_token": "set HF_TOKEN in env_vars", "hf_repo_draft": hostsModel, "spec_draft_hf": hostsModel,
	"embd_gemma_default": hostsModel, "fim_qwen_1.5b_default": hostsModel, "fim_qwen_3b_default": hostsModel,
	"fim_qwen_7b_default": hostsModel, "fim_qwen_7b_spec": hostsModel, "fim_qwen_14b_spec": hostsModel,
	"fim_qwen_30b_default": hostsModel, "gpt_oss_20b_default": hostsModel, "gpt_oss_120b_default": hostsModel,
	"vision_gemma_4b_default": hostsModel, "vision_gemma_12b_default": hostsModel,
	"models_dir": oneModel, "models_preset": oneModel, "models_max": oneModel, "models_autoload": oneModel, "no_models_autoload": oneModel,
	"help": noServer, "usage": noServer, "version": noServer, "cache_list": noServer, "completion_bash": noServer, "list_devices": noServer,
	"log_disable": hostsLog, "log_file": hostsLog, "log_colors": hostsLog,
}

// elsewhere are the names that other engines have for an option.
var elsewhere = map[string]string{
	"max_model_len": "ctx_size (for all parallel requests together)", "max_num_seqs": "parallel", "gpu_memory_utilization": "fit_target",
	"context_length": "ctx_size", "dtype": "model_file, which chooses a quantisation", "quantization": "model_file, which chooses a quantisation",
	"max_num_batched_tokens": "batch_size", "enable_prefix_caching": "cache_prompt", "kv_cache_dtype": "cache_type_k and cache_type_v",
	"tp_size": "tensor_parallel_size", "load_format": "load_mode",
}

// flags writes spec's kwargs as options, sorted by name, without the model. The error joins
// one Invalid per kwarg that is unknown, reserved, or has a value that its option cannot take.
func flags(spec engine.Spec) ([]string, error) {
	known := options()
	var args []string
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(spec.Kwargs)) {
		value := driver.Plain(spec.Kwargs[name])
		if value == nil {
			continue
		}
		words, err := flag(name, value, known)
		if err != nil {
			problems = append(problems, err)
		}
		args = append(args, inFolder(spec, name, words)...)
	}
	return args, errors.Join(problems...)
}

func flag(name string, value any, known map[string]string) ([]string, error) {
	if why, is := reserved[name]; is {
		return nil, invalid(name, "it is not for engine_kwargs", why)
	}
	kind, has := known[name]
	if !has {
		return nil, unknown(name, known)
	}
	option := "--" + strings.ReplaceAll(name, "_", "-")
	on, isBool := value.(bool)
	switch {
	case kind == "ours":
		return nil, nil
	case kind == "flag" && !isBool:
		return nil, invalid(name, fmt.Sprintf("%v is neither true nor false", value), "write true or false")
	case kind == "flag" && on:
		return []string{option}, nil
	case kind == "flag" && known["no_"+name] == "flag":
		return []string{"--no-" + strings.TrimPrefix(option, "--")}, nil
	case kind == "flag":
		return nil, nil
	case kind == "onoff" && isBool: // YAML reads on and off as true and false
		return []string{option, map[bool]string{true: "on", false: "off"}[on]}, nil
	}
	words, err := values(kind, value)
	if err != nil {
		return nil, invalid(name, err.Error(), "write it as llama-server --help says")
	}
	return append([]string{option}, words...), nil
}

// values writes what follows an option.
func values(kind string, value any) ([]string, error) {
	list, isList := value.([]any)
	switch {
	case kind == "pair" && len(list) == 2:
		return []string{fmt.Sprint(list[0]), fmt.Sprint(list[1])}, nil
	case kind == "pair":
		return nil, fmt.Errorf("%v is no list of two numbers", value)
	case isList:
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = fmt.Sprint(v)
		}
		return []string{strings.Join(words, ",")}, nil
	case reflect.ValueOf(value).Kind() == reflect.Bool:
		return nil, fmt.Errorf("%v is not a value that it takes", value)
	case reflect.ValueOf(value).Kind() == reflect.Map:
		data, err := json.Marshal(value)
		return []string{string(data)}, err
	}
	return []string{fmt.Sprint(value)}, nil
}

func invalid(name, what, hint string) *lifecycle.Error {
	return &lifecycle.Error{
		Op: "llamacpp.Check", Kind: lifecycle.Invalid, Target: "engine_kwargs." + name, Err: errors.New(what), Hint: hint,
	}
}

func unknown(name string, known map[string]string) *lifecycle.Error {
	const what = "llama-server has no such option"
	if other, is := elsewhere[name]; is {
		return invalid(name, what, "llama.cpp calls it "+other)
	}
	names := slices.Collect(maps.Keys(known))
	hint := "see llama-server --help"
	if near := nearest.Of(name, names, 3); len(near) > 0 {
		hint = nearest.Hint(name, near)
	}
	return invalid(name, what, hint+"; an option that only a newer build has can be set in env_vars, as LLAMA_ARG_"+strings.ToUpper(name))
}
