package sglang

import (
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

const (
	hostsAddress = "the host chooses the address"
	hostsModel   = "set model_loading_config.model_source"
	hostsServer  = "the host needs the engine's HTTP server"
	loopback     = "the engine listens on loopback only; ask for keys and speak TLS where clients come in"
	longNames    = "write tensor_parallel_size, pipeline_parallel_size or data_parallel_size: by them the host counts accelerators"
)

// reserved are the options that this package sets, or that would cut the host off from the
// server, with what to use instead.
var reserved = map[string]string{
	"model_path": hostsModel, "model": hostsModel, "served_model_name": "set model_loading_config.model_id",
	"host": hostsAddress, "port": hostsAddress, "fastapi_root_path": hostsAddress,
	"api_key": loopback, "admin_api_key": loopback, "ssl_keyfile": loopback, "ssl_certfile": loopback, "ssl_ca_certs": loopback,
	"ssl_keyfile_password": loopback, "enable_ssl_refresh": loopback,
	"grpc_mode": hostsServer, "smg_grpc_mode": hostsServer, "encoder_only": hostsServer, "use_ray": "the host starts the processes",
	"nnodes": "a replica is on one node", "node_rank": "a replica is on one node", "dist_init_addr": "a replica is on one node",
	"config": "write the options into engine_kwargs", "tp_size": longNames, "pp_size": longNames,
	"dp_size": longNames,
}

// elsewhere are the names that vLLM has for an option.
var elsewhere = map[string]string{ //nolint:gosec // names, not credentials
	"max_model_len": "context_length", "max_num_seqs": "max_running_requests", "gpu_memory_utilization": "mem_fraction_static",
	"enforce_eager": "disable_cuda_graph", "max_num_batched_tokens": "chunked_prefill_size",
	"enable_prefix_caching": "disable_radix_cache, with the other sense", "seed": "random_seed",
	"compilation_config": "enable_torch_compile",
}

// tokenizerPath is SGLang's name of what vLLM calls tokenizer.
const tokenizerPath = "tokenizer_path" //nolint:gosec // a name, not a credential

// flags writes spec's kwargs as options, sorted by name. The error joins one Invalid per
// kwarg that is unknown, reserved, or has a value that its option cannot take. Without a
// list of options, the values alone decide.
func flags(spec engine.Spec, known options) ([]string, error) {
	var args []string
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(spec.Kwargs)) {
		value := driver.Plain(spec.Kwargs[name])
		if value == nil {
			continue
		}
		if name == "tokenizer" { // as vLLM calls it; what tokenizer_source of a configuration becomes
			if driver.Plain(spec.Kwargs[tokenizerPath]) != nil {
				continue
			}
			name = tokenizerPath
		}
		words, err := flag(name, value, known)
		if err != nil {
			problems = append(problems, err)
		}
		args = append(args, words...)
	}
	return args, errors.Join(problems...)
}

func flag(name string, value any, known options) ([]string, error) {
	if why, is := reserved[name]; is {
		return nil, invalid(name, "it is not for engine_kwargs", why)
	}
	kind, has := known[name]
	if known != nil && !has {
		return nil, unknown(name, known)
	}
	if name == "load_format" && strings.HasPrefix(fmt.Sprint(value), "runai_streamer") {
		return nil, invalid(name, "weights are not streamed into SGLang by this driver", "leave load_format out: the files are fetched first")
	}
	option := "--" + strings.ReplaceAll(name, "_", "-")
	on, isBool := value.(bool)
	switch {
	case isBool && on && (kind == switchOption || kind == boolOption || known == nil):
		return []string{option}, nil
	case isBool && kind == boolOption:
		return []string{"--no-" + strings.TrimPrefix(option, "--")}, nil
	case isBool && (kind == switchOption || known == nil):
		return nil, nil
	case isBool, kind == switchOption, kind == boolOption:
		return nil, invalid(name, fmt.Sprintf("%v is not a value that it takes", value), "see sglang serve --help")
	}
	words, err := values(value, kind == listOption || known == nil)
	if err != nil {
		return nil, invalid(name, err.Error(), "write it as a number, a string, a list or a map")
	}
	return append([]string{option}, words...), nil
}

// values writes what follows an option: several words of a list that the option takes as
// such, else one, which is JSON for what is no scalar.
func values(value any, several bool) ([]string, error) {
	list, isList := value.([]any)
	if isList && several {
		words := make([]string, len(list))
		for i, v := range list {
			words[i] = fmt.Sprint(v)
		}
		return words, nil
	}
	if kind := reflect.ValueOf(value).Kind(); isList || kind == reflect.Map || kind == reflect.Struct {
		data, err := json.Marshal(value)
		return []string{string(data)}, err
	}
	return []string{fmt.Sprint(value)}, nil
}

func invalid(name, what, hint string) *lifecycle.Error {
	return &lifecycle.Error{
		Op: "sglang.Check", Kind: lifecycle.Invalid, Target: "engine_kwargs." + name, Err: errors.New(what), Hint: hint,
	}
}

func unknown(name string, known options) *lifecycle.Error {
	const what = "the installed SGLang has no such option"
	if other, is := elsewhere[name]; is {
		return invalid(name, what, "SGLang calls it "+other)
	}
	names := slices.Collect(maps.Keys(known))
	if near := nearest.Of(name, names, 3); len(near) > 0 {
		return invalid(name, what, nearest.Hint(name, near))
	}
	return invalid(name, what, "see sglang serve --help")
}
