package spinup

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/spinup-llm/spinup/internal/nearest"
)

// hookNames are the hooks: the exported methods of Callback.
var hookNames = func() []string {
	var names []string
	for m := range reflect.TypeFor[Callback]().Methods() {
		if m.IsExported() {
			names = append(names, m.Name)
		}
	}
	return names
}()

// isCallback reports whether t or *t is a Callback.
func isCallback(t reflect.Type) bool {
	return t.Kind() != reflect.Interface && reflect.PointerTo(t).Implements(reflect.TypeFor[Callback]())
}

// checkHooks refuses a type with a method On… that is no hook: it would never be called.
func checkHooks(t reflect.Type) error {
	if t.Kind() != reflect.Pointer {
		t = reflect.PointerTo(t)
	}
	for m := range t.Methods() {
		name := m.Name
		rest, on := strings.CutPrefix(name, "On")
		if !on || rest == "" || !unicode.IsUpper(rune(rest[0])) {
			continue
		}
		if _, hook := reflect.TypeFor[Callback]().MethodByName(name); hook {
			continue
		}
		hint := "hooks are " + strings.Join(hookNames, ", ")
		if near := nearest.Of(name, hookNames, 1); len(near) > 0 {
			hint = "did you mean " + near[0] + "?"
		}
		return fmt.Errorf("%s has a method %s, which is no hook: %s", t.Elem(), name, hint)
	}
	return nil
}
