package spinup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

const (
	// missWithin is how long it is remembered that an adapter cannot be had, and hitWithin where
	// its files are, as Ray does.
	missWithin = 30 * time.Second
	hitWithin  = 5 * time.Minute
	// manyAdapters bounds what is remembered: names come from requests.
	manyAdapters = 10_000
	// lookups is how many names are looked for at the same time.
	lookups = 16
)

// adapters finds the LoRA adapters of one model and brings them here. It is safe for
// concurrent use.
type adapters struct {
	model   *model
	loader  engine.AdapterLoader
	folder  string // dynamic_lora_loading_path
	sources *source.Mux
	turn    chan struct{} // of lookups

	mu    sync.Mutex
	known map[string]*foundAdapter
}

// foundAdapter is what is known of a name.
type foundAdapter struct {
	done    chan struct{} // closed when the rest may be read
	err     error
	source  source.Source
	files   *source.Manifest
	forgets time.Time // belongs to the lock; zero: it is being looked for
}

// newAdapters returns nil where the configuration has no place for adapters.
func newAdapters(m *model) (*adapters, error) {
	c := m.cfg.LoraConfig
	if c == nil || c.DynamicLoraLoadingPath == "" {
		return nil, nil //nolint:nilnil // no adapters are no error
	}
	loader, ok := m.engine.(engine.AdapterLoader)
	if !ok {
		return nil, &lifecycle.Error{
			Op: "spinup.New", Kind: lifecycle.Invalid, Target: "lora_config", Err: fmt.Errorf("the engine %s serves no adapters", m.engine.Name()),
			Hint: "remove lora_config, or choose an engine that does, such as vLLM",
		}
	}
	folder := strings.TrimRight(c.DynamicLoraLoadingPath, "/")
	if !strings.Contains(folder, "://") { // a directory, also where it could be a name at the hub
		dir, err := filepath.Abs(c.DynamicLoraLoadingPath)
		if err != nil {
			return nil, &lifecycle.Error{
				Op: "spinup.New", Kind: lifecycle.Invalid, Target: "lora_config.dynamic_lora_loading_path", Err: err, Hint: "give an absolute path",
			}
		}
		folder = dir
	}
	return &adapters{
		model: m, loader: loader, folder: folder,
		sources: m.opts.Sources.WithEnv(m.env), turn: make(chan struct{}, lookups), known: map[string]*foundAdapter{},
	}, nil
}

// find returns where an adapter is. Of several callers one looks; when it leaves, another does.
func (a *adapters) find(ctx context.Context, name string) (*foundAdapter, error) {
	if err := checkAdapterName(name); err != nil {
		return nil, err
	}
	for {
		f, mine := a.claim(name)
		if mine {
			err := a.patiently(ctx, func(ctx context.Context) error { return a.look(ctx, name, f) })
			if f.err = err; err != nil && ctx.Err() != nil { // the end of this caller is not that of those who wait
				f.err = &lifecycle.Error{Op: "spinup.adapter", Kind: lifecycle.Canceled, Target: name, Err: err}
			}
			a.settle(name, f, f.err)
			close(f.done)
			return f, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, lifecycle.FromContext(ctx, "spinup.adapter", name)
		}
		if !errors.Is(f.err, lifecycle.Canceled) {
			return f, f.err
		}
	}
}

// claim returns what is known of name, and whether the caller has to find it out.
func (a *adapters) claim(name string) (f *foundAdapter, mine bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if f = a.known[name]; f != nil && (f.forgets.IsZero() || now.Before(f.forgets)) {
		return f, false
	}
	if len(a.known) >= manyAdapters {
		for n, f := range a.known {
			if !f.forgets.IsZero() {
				delete(a.known, n)
			}
		}
	}
	f = &foundAdapter{done: make(chan struct{})}
	a.known[name] = f
	return f, true
}

// settle decides how long f is remembered: where it failed, only what would fail again.
func (a *adapters) settle(name string, f *foundAdapter, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch kind := lifecycle.KindOf(err); {
	case a.known[name] != f:
	case err == nil:
		f.forgets = time.Now().Add(hitWithin)
	case kind.Temporary(), kind == lifecycle.Timeout, kind == lifecycle.Canceled, kind == lifecycle.EngineFailed:
		delete(a.known, name)
	default:
		f.forgets = time.Now().Add(missWithin)
	}
}

// reject remembers that an adapter that was found cannot be used.
func (a *adapters) reject(name string, err error) {
	f := &foundAdapter{done: make(chan struct{}), err: err}
	close(f.done)
	a.mu.Lock()
	a.known[name] = f
	a.mu.Unlock()
	a.settle(name, f, err)
}

// forget lets the next request for name look at its source again.
func (a *adapters) forget(name string, f *foundAdapter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known[name] == f {
		delete(a.known, name)
	}
}

// look asks the source.
func (a *adapters) look(ctx context.Context, name string, f *foundAdapter) (err error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-ctx.Done():
		return lifecycle.FromContext(ctx, "spinup.adapter", name)
	}
	if f.source, err = a.sources.Open(ctx, a.folder+"/"+name); err != nil {
		return err
	}
	all, err := a.model.opts.Downloads.Resolve(ctx, f.source)
	if errors.Is(err, lifecycle.NotFound) {
		return noAdapter(name, err)
	}
	if err != nil {
		return err
	}
	f.files = all.Filter(isAdapterFile)
	if _, ok := f.files.File("adapter_config.json"); !ok {
		return &lifecycle.Error{
			Op: "spinup.adapter", Kind: lifecycle.NotFound, Target: all.URI, Err: errors.New("there is no adapter_config.json"),
			Hint: "name a folder with adapter_config.json and adapter_model.safetensors",
		}
	}
	return nil
}

var suggestion = regexp.MustCompile(`did you mean [^?]*\?|there are ("[^"]*"(, )?)+( and \d+ more)?`)

// noAdapter keeps, of what the source suggests, the names: clients read it, and where the
// adapters lie is not for them.
func noAdapter(name string, err error) error {
	e := &lifecycle.Error{Op: "spinup.adapter", Kind: lifecycle.NotFound, Target: name, Err: err}
	for hint := range lifecycle.Hints(err) {
		if e.Hint = suggestion.FindString(hint); e.Hint != "" {
			return e
		}
	}
	e.Hint = "name one that lies in the folder of lora_config"
	return e
}

// isAdapterFile leaves out what engines do not read, such as checkpoints of the training.
func isAdapterFile(f source.File) bool {
	return f.Path == "adapter_config.json" || f.Path == "adapter_model.safetensors" || f.Path == "adapter_model.bin"
}

const longestAdapter = 128 // bytes of a name

var adapterName = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*$`)

// checkAdapterName refuses names that no adapter has: they come from requests, and become paths.
func checkAdapterName(name string) error {
	if len(name) <= longestAdapter && adapterName.MatchString(name) && !strings.Contains(name, "..") {
		return nil
	}
	return &lifecycle.Error{
		Op: "spinup.adapter", Kind: lifecycle.NotFound, Err: errors.New("no adapter has such a name"),
		Hint: fmt.Sprintf("a name has letters, digits, and . _ - / between them, at most %d", longestAdapter),
	}
}
