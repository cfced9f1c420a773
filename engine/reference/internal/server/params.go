package server

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/spinup-llm/spinup/engine/reference/internal/generate"
	"github.com/spinup-llm/spinup/internal/nearest"
)

// params are what both kinds of requests have in common.
type params struct {
	model        string
	maxTokens    int // 0 means what the kind of request does
	sampling     generate.Sampling
	stop         []string
	stream       bool
	includeUsage bool
	ignoreEOS    bool
}

const (
	maxStops       = 16
	maxTemperature = 2
)

// off holds parameters that would change the answer in a way that this engine cannot, with
// the values that ask for nothing. null asks for nothing, too.
var off = map[string][]any{
	"n": {1.0}, "best_of": {1.0}, "logprobs": {false}, "top_logprobs": {0.0}, "prompt_logprobs": {0.0}, "echo": {false}, "suffix": {""},
	"presence_penalty": {0.0}, "frequency_penalty": {0.0}, "repetition_penalty": {1.0}, "length_penalty": {1.0}, "min_p": {0.0},
	"min_tokens": {0.0}, "logit_bias": {map[string]any{}}, "bad_words": {[]any{}}, "stop_token_ids": {[]any{}}, "use_beam_search": {false},
	"skip_special_tokens": {true}, "include_stop_str_in_output": {false}, "add_generation_prompt": {true}, "continue_final_message": {false},
	"response_format": {map[string]any{"type": "text"}}, "tools": {[]any{}}, "tool_choice": {"none", "auto"}, "functions": {[]any{}},
	"function_call": {"none", "auto"}, "modalities": {[]any{"text"}}, "documents": {[]any{}}, "return_token_ids": {false},
}

// ignored holds parameters that do not change the answer.
var ignored = []string{
	"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
	"parallel_tool_calls", "request_id", "priority",
}

// reader decodes one request. The first error stays.
type reader struct {
	fields map[string]json.RawMessage
	err    error
}

// read takes the object apart; fields that are null are as good as absent.
func read(text []byte) *reader {
	r := &reader{}
	if err := json.Unmarshal(text, &r.fields); err != nil || r.fields == nil {
		r.err = invalid("", "the request is not a JSON object: %v", err)
		return r
	}
	for name, value := range r.fields {
		if string(value) == "null" {
			delete(r.fields, name)
		}
	}
	return r
}

// take decodes a field into v and reports whether it is there.
func (r *reader) take(name string, v any, what string) bool {
	value, ok := r.fields[name]
	if !ok || r.err != nil {
		return false
	}
	delete(r.fields, name)
	if err := json.Unmarshal(value, v); err != nil {
		r.fail(invalid(name, "%s has to be %s", name, what))
		return false
	}
	return true
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// number takes a number that has to lie between low and high.
func (r *reader) number(name string, v *float64, low, high float64) {
	if r.take(name, v, "a number") && !(*v >= low && *v <= high) {
		r.fail(invalid(name, "%s has to lie between %v and %v, not %v", name, low, high, *v))
	}
}

// params takes the common fields. limits are the names for the length of the answer.
func (r *reader) params(defaults generate.Sampling, limits ...string) params {
	p := params{sampling: defaults}
	r.take("model", &p.model, "a string")
	for _, name := range limits {
		var n int
		if !r.take(name, &n, "an integer") {
			continue
		}
		if n < 1 || (p.maxTokens > 0 && n != p.maxTokens) {
			r.fail(invalid(name, "%s has to be at least 1, and the same under both of its names", name))
		}
		p.maxTokens = n
	}
	r.number("temperature", &p.sampling.Temperature, 0, maxTemperature)
	if _, given := r.fields["top_p"]; given {
		r.number("top_p", &p.sampling.TopP, 0, 1)
		p.sampling.TopP = max(p.sampling.TopP, math.SmallestNonzeroFloat64) // 0 is the likeliest only
	}
	if r.take("top_k", &p.sampling.TopK, "an integer") && p.sampling.TopK < -1 {
		r.fail(invalid("top_k", "top_k has to be positive, or -1 for all"))
	}
	r.take("seed", &p.sampling.Seed, "an integer")
	r.take("ignore_eos", &p.ignoreEOS, "true or false")
	r.take("stream", &p.stream, "true or false")
	r.streamOptions(&p)
	r.stops(&p)
	return p
}

func (r *reader) streamOptions(p *params) {
	var options struct {
		IncludeUsage bool `json:"include_usage"`
	}
	if !r.take("stream_options", &options, "an object") {
		return
	}
	if !p.stream {
		r.fail(invalid("stream_options", "stream_options is only for requests with stream"))
	}
	p.includeUsage = options.IncludeUsage
}

func (r *reader) stops(p *params) {
	var one string
	if value := r.fields["stop"]; len(value) > 0 && value[0] == '"' {
		if r.take("stop", &one, "a string") {
			p.stop = []string{one}
		}
	} else {
		r.take("stop", &p.stop, "a string or a list of strings")
	}
	if len(p.stop) > maxStops || slices.Contains(p.stop, "") {
		r.fail(invalid("stop", "stop has to be at most %d texts that are not empty", maxStops))
	}
}

// done refuses what is left over.
func (r *reader) done(known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(r.fields)) {
		values, isOff := off[name]
		switch {
		case r.err != nil:
		case slices.Contains(ignored, name):
		case !isOff:
			names := append(slices.Collect(maps.Keys(off)), known...)
			hint := nearest.Of(name, append(names, "model", "temperature", "top_p", "top_k", "seed", "stream", "stream_options", "stop", "ignore_eos"), 1)
			r.fail(unknown(name, hint))
		case !means(r.fields[name], values):
			r.fail(invalid(name, "%s is not supported by the reference engine; leave it out", name).with(400, "unsupported_parameter"))
		}
	}
	return r.err
}

func unknown(name string, near []string) error {
	hint := ""
	if len(near) > 0 {
		hint = "; did you mean " + near[0] + "?"
	}
	return invalid(name, "there is no parameter %.60q, or the reference engine does not support it%s", name, hint).with(400, "unknown_parameter")
}

// means reports whether value is one of values.
func means(value json.RawMessage, values []any) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	return slices.ContainsFunc(values, func(other any) bool { return reflect.DeepEqual(v, other) })
}
