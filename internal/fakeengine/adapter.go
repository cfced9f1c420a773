//go:build unix

package fakeengine

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/lora"
)

var _ engine.AdapterLoader = Engine{}

// CheckAdapter implements engine.AdapterLoader.
func (Engine) CheckAdapter(spec engine.Spec, a engine.Adapter) error {
	files, err := lora.Read(a.Dir)
	if err != nil || spec.Dir == "" {
		return err
	}
	return files.Fits(spec.Dir)
}

// LoadAdapter implements engine.AdapterLoader.
func (Engine) LoadAdapter(a engine.Adapter) engine.Call {
	body, _ := json.Marshal(a) // strings only
	return engine.Call{Path: "/load", Body: body}
}

// UnloadAdapter implements engine.AdapterLoader.
func (Engine) UnloadAdapter(a engine.Adapter) engine.Call {
	body, _ := json.Marshal(a) // strings only
	return engine.Call{Path: "/unload", Body: body}
}

// loaded are the adapters of a fake, which holds as many as it was told and refuses what
// vLLM would: one more, the same one twice, and names that are not loaded.
type loaded struct {
	most int
	mu   sync.Mutex
	dirs map[string]string // by name
}

func (l *loaded) load(w http.ResponseWriter, r *http.Request) {
	l.change(w, r, func(a engine.Adapter) (int, string) {
		switch _, has := l.dirs[a.Name]; {
		case has:
			return http.StatusBadRequest, a.Name + " has already been loaded"
		case len(l.dirs) >= l.most:
			return http.StatusInternalServerError, fmt.Sprintf("there are %d adapters already", len(l.dirs))
		}
		if l.dirs == nil {
			l.dirs = map[string]string{}
		}
		l.dirs[a.Name] = a.Dir
		return http.StatusOK, ""
	})
}

func (l *loaded) unload(w http.ResponseWriter, r *http.Request) {
	l.change(w, r, func(a engine.Adapter) (int, string) {
		if _, has := l.dirs[a.Name]; !has {
			return http.StatusNotFound, a.Name + " cannot be found"
		}
		delete(l.dirs, a.Name)
		return http.StatusOK, ""
	})
}

func (l *loaded) change(w http.ResponseWriter, r *http.Request, f func(engine.Adapter) (int, string)) {
	var a engine.Adapter
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	status, message := f(a)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": message}})
}

// serves reports whether model is one of base and its adapters.
func (l *loaded) serves(model, base string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, has := l.dirs[model]
	return has || model == "" || model == base
}
