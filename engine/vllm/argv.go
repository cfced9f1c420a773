package vllm

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// reserved are the options that this package sets, or that would cut the host off from the
// server, with what to use instead.
var reserved = map[string]string{
	"model":             "set model_loading_config.model_source",
	"served_model_name": "set model_loading_config.model_id",
	"host":              "the host chooses the address",
	"port":              "the host chooses the address",
	"uds":               "the host speaks HTTP over TCP to its engines",
	"config":            "write the options into engine_kwargs",
	"headless":          "the host needs the engine's HTTP server",
	"grpc":              "the host needs the engine's HTTP server",
	"api_key":           "the engine listens on loopback only; ask for keys where clients come in",
	"ssl_keyfile":       "the engine listens on loopback only; speak TLS where clients come in",
	"ssl_certfile":      "the engine listens on loopback only; speak TLS where clients come in",
}

// normalize returns the kwargs that become options, as plain JSON values, without nil and
// without those that travel another way.
func normalize(spec engine.Spec) (map[string]any, error) {
	out := make(map[string]any, len(spec.Kwargs))
	for name, value := range spec.Kwargs {
		plain, err := plainValue(value)
		if err != nil {
			return nil, invalidKwarg(name, err.Error(), "write it as a number, a string, true, false, a list or a map")
		}
		if plain != nil {
			out[name] = plain
		}
	}
	if spec.Sleeps {
		out["enable_sleep_mode"] = true
	}
	withAdapters(out, spec)
	if _, isText := out["hf_token"].(string); isText {
		delete(out, "hf_token") // in the environment, see environment
	}
	if out["distributed_executor_backend"] == "ray" {
		delete(out, "distributed_executor_backend") // Ray's own configurations say it; here the processes are vLLM's own
	}
	if cc, ok := out["compilation_config"].(map[string]any); ok && onCPU(spec) {
		cc = maps.Clone(cc)
		delete(cc, "cache_dir") // in the environment, see environment
		out["compilation_config"] = cc
		if len(cc) == 0 {
			delete(out, "compilation_config")
		}
	}
	return out, nil
}

// plainValue turns typed values into what JSON has; nil pointers and nil become nil.
func plainValue(v any) (any, error) {
	switch v.(type) {
	case nil, bool, string, int, int64, float64, map[string]any, []any:
		return v, nil
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
		return nil, nil //nolint:nilnil // an absent value is no error
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var plain any
	err = decoder.Decode(&plain)
	return plain, err
}

// asMap returns v as a map; nil when it is none.
func asMap(v any) map[string]any {
	plain, err := plainValue(v)
	if err != nil {
		return nil
	}
	m, _ := plain.(map[string]any) // another value is no map
	return m
}

// flags writes the kwargs as options, sorted by name. The error joins one Invalid per
// kwarg that is unknown, reserved, or has a value that its option cannot take. Without a
// list of options, the values alone decide.
func flags(kwargs map[string]any, known options) ([]string, error) {
	var args []string
	var problems []error
	names := known.names()
	for _, name := range slices.Sorted(maps.Keys(kwargs)) {
		if why, is := reserved[name]; is {
			problems = append(problems, invalidKwarg(name, "it is not for engine_kwargs", why))
			continue
		}
		kind, has := known[name]
		if known == nil {
			kind = guessKind(kwargs[name])
		} else if !has {
			problems = append(problems, unknownKwarg(name, names))
			continue
		}
		words, err := flag(name, kind, kwargs[name])
		if err != nil {
			problems = append(problems, err)
		}
		args = append(args, words...)
	}
	return args, errors.Join(problems...)
}

func invalidKwarg(name, what, hint string) *lifecycle.Error {
	return &lifecycle.Error{
		Op: "vllm.Check", Kind: lifecycle.Invalid, Target: "engine_kwargs." + name, Err: errors.New(what), Hint: hint,
	}
}

func unknownKwarg(name string, names []string) *lifecycle.Error {
	hint := "remove it; vllm serve --help=all lists what the installed version knows"
	if near := nearest.Of(name, names, 3); len(near) > 0 {
		hint = nearest.Hint(name, names)
	}
	return invalidKwarg(name, "the installed vLLM has no such option", hint)
}

func guessKind(v any) optionKind {
	switch v.(type) {
	case bool:
		return boolOption
	case map[string]any:
		return jsonOption
	case []any:
		return listOption
	}
	return scalarOption
}

func flagName(name string) string { return "--" + strings.ReplaceAll(name, "_", "-") }

// flag writes one option. An empty list is left out: the command line cannot say it.
func flag(name string, kind optionKind, value any) ([]string, error) {
	option := flagName(name)
	on, isBool := value.(bool)
	list, isList := value.([]any)
	_, isMap := value.(map[string]any)
	switch kind {
	case boolOption, switchOption, optionalOption:
		return boolFlag(name, kind, value)
	case jsonOption:
		return jsonFlag(option, value)
	case listOption, repeatedOption:
		if !isList {
			list = []any{value}
		}
		return listFlag(option, kind, list), nil
	case scalarOption:
	}
	switch {
	case isBool:
		return nil, invalidKwarg(name, fmt.Sprintf("it is %v, but the option takes a value", on), "give the value, or remove the option")
	case isMap:
		return jsonFlag(option, value)
	case isList:
		return withValue(option, joinWords(list)), nil
	}
	return withValue(option, text(value)), nil
}

func boolFlag(name string, kind optionKind, value any) ([]string, error) {
	option := flagName(name)
	on, isBool := value.(bool)
	switch {
	case isBool && on:
		return []string{option}, nil
	case isBool && kind == boolOption:
		return []string{"--no-" + strings.TrimPrefix(option, "--")}, nil
	case isBool:
		return nil, nil
	case kind == optionalOption:
		return withValue(option, text(value)), nil
	}
	return nil, invalidKwarg(name, fmt.Sprintf("it is %q, but the option is a switch", text(value)), "write true or false, without quotes")
}

func jsonFlag(option string, value any) ([]string, error) {
	if s, ok := value.(string); ok {
		return withValue(option, s), nil // JSON already, or a form that the option reads itself
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return withValue(option, string(data)), nil
}

func listFlag(option string, kind optionKind, list []any) []string {
	if len(list) == 0 {
		return nil
	}
	var args []string
	for i, item := range list {
		if i == 0 || kind == repeatedOption {
			args = append(args, option)
		}
		args = append(args, text(item))
	}
	return args
}

// withValue keeps a value that begins with a dash from being taken for an option.
func withValue(option, value string) []string {
	if strings.HasPrefix(value, "-") {
		return []string{option + "=" + value}
	}
	return []string{option, value}
}

func joinWords(list []any) string {
	words := make([]string, len(list))
	for i, item := range list {
		words[i] = text(item)
	}
	return strings.Join(words, ",")
}

// text writes a scalar as Python reads it: whole numbers without a point, maps and lists
// as JSON, nil as nothing.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatFloat(v, 'f', 0, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case map[string]any, []any:
		data, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(data)
	}
	return fmt.Sprint(v)
}
