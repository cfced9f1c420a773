package spinup

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
)

// RegisterCallback makes a callback available to callback_class under name. Call it from
// main or TestMain rather than from init.
//
// The kwargs of the configuration are decoded strictly into K by its yaml tags: unknown
// fields and wrong types are errors of [LLMConfig.Validate] and [New], with positions where
// they came from a file. A field without a tag has its name in lower case, ",inline" on a
// map[string]any takes all other keys, and a time.Duration is written as 90s. Where K or *K
// has a method Validate() error, it is called after decoding; the Target of a
// [*lifecycle.Error] it returns is the path below callback_kwargs.
//
// build makes the callback, once for each model that names it; K itself may be one. It panics when the
// name is taken, and when K is a callback with a method On… that is no hook.
func RegisterCallback[K any](name string, build func(kwargs K) (Callback, error)) {
	callbacks.register(name, newEntry(name, build))
}

// callbacks are the registered ones; those of Ray are there from the start.
var callbacks = &registry{entries: map[string]entry{
	cloudDownloader: newEntry(cloudDownloader, buildCloudDownloader),
	"ray.llm._internal.common.callbacks.cloud_downloader." + cloudDownloader: newEntry(cloudDownloader, buildCloudDownloader),
	"ray.llm._internal.common.callbacks.base.CallbackBase":                   newEntry("CallbackBase", buildNop),
}}

func buildNop(map[string]any) (Callback, error) { return NopCallback{}, nil }

type registry struct {
	mu      sync.Mutex
	entries map[string]entry
}

// entry is a registered callback, without its type K.
type entry struct {
	check func(v *strictyaml.Value, r *strictyaml.Report)
	build func(kwargs map[string]any) (Callback, error)
}

func (g *registry) register(name string, e entry) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, taken := g.entries[name]; taken {
		panic("spinup: the callback " + name + " is registered already")
	}
	g.entries[name] = e
}

// lookup returns the entry, or an entry's name that was probably meant, or all of them.
func (g *registry) lookup(name string) (e entry, hint string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if e, ok = g.entries[name]; ok {
		return e, "", true
	}
	names := slices.Sorted(maps.Keys(g.entries))
	if near := nearest.Of(name, names, 1); len(near) > 0 {
		return e, "did you mean " + near[0] + "?", false
	}
	short := slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, "._internal.") })
	return e, "register it with spinup.RegisterCallback before; registered are " + strings.Join(short, ", "), false
}

func newEntry[K any](name string, build func(K) (Callback, error)) entry {
	if t := reflect.TypeFor[K](); isCallback(t) {
		if err := checkHooks(t); err != nil {
			panic("spinup: the callback " + name + ": " + err.Error())
		}
	}
	decode := func(v *strictyaml.Value, r *strictyaml.Report) (kwargs K) {
		(&strictyaml.Decoder{Report: r}).Decode(v, &kwargs)
		return kwargs
	}
	return entry{
		check: func(v *strictyaml.Value, r *strictyaml.Report) {
			kwargs := decode(v, r)
			validate(&kwargs, v, r)
		},
		build: func(m map[string]any) (Callback, error) {
			var r strictyaml.Report
			kwargs := decode(strictyaml.FromGo(m, kwargsPath, &r), &r)
			if err := r.Err("spinup.New"); err != nil {
				return nil, err
			}
			return build(kwargs)
		},
	}
}

const kwargsPath = "callback_config.callback_kwargs"

type validator interface{ Validate() error }

// validate runs the Validate method of kwargs, a pointer, where it has one.
func validate(kwargs any, v *strictyaml.Value, r *strictyaml.Report) {
	k, ok := kwargs.(validator)
	if !ok {
		return
	}
	err := k.Validate()
	if err == nil {
		return
	}
	base, told := v.Place().Path(), false
	for e := range lifecycle.Errors(err) {
		r.Fail(join(base, e.Target), e.Hint, "%s", cmp.Or(e.Err, error(e.Kind)))
		told = true
	}
	if !told {
		r.Fail(base, "", "%s", err)
	}
}

// callback resolves callback_class and decodes callback_kwargs.
func (c *checker) callback(cfg *CallbackConfig) {
	if cfg.Instance != nil {
		c.instance(cfg.Instance)
		return
	}
	if cfg.Class == "" {
		return
	}
	e, hint, ok := callbacks.lookup(cfg.Class)
	if !ok {
		unknown := func() { c.fail("callback_config.callback_class", hint, "no callback is registered as %q", cfg.Class) }
		if c.later != nil {
			*c.later = append(*c.later, unknown)
		} else {
			unknown()
		}
		return
	}
	kwargs := cfg.Kwargs
	if kwargs == nil {
		kwargs = map[string]any{}
	}
	e.check(strictyaml.FromGo(kwargs, join(c.path, kwargsPath), c.report), c.report)
}

func (c *checker) instance(cb Callback) {
	const at = "callback_config"
	if v := reflect.ValueOf(cb); v.Kind() == reflect.Pointer && v.IsNil() {
		c.fail(at, "give a value", "the callback is a nil pointer")
		return
	}
	if err := checkHooks(reflect.TypeOf(cb)); err != nil {
		c.fail(at, "", "%s", err)
		return
	}
	if k, ok := cb.(validator); ok {
		if err := k.Validate(); err != nil {
			c.fail(at, "", "%s", err)
		}
	}
}
