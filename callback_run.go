package spinup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"runtime/debug"

	"github.com/spinup-llm/spinup/lifecycle"
)

// hooks run the callback of one model. They are safe for concurrent use as far as the
// callback is.
type hooks struct {
	callback Callback
	class    string // for messages
	raise    bool
	log      *slog.Logger
	redact   func(string) string
}

// newHooks makes the callback that cfg names. env is further environment whose values are
// secret, such as the application's.
func newHooks(cfg *LLMConfig, log *slog.Logger, env ...lifecycle.EnvVars) (*hooks, error) {
	c := &cfg.CallbackConfig
	secrets := maps.Clone(cfg.RuntimeEnv.EnvVars)
	for _, e := range env {
		if secrets == nil {
			secrets = lifecycle.EnvVars{}
		}
		maps.Copy(secrets, e)
	}
	h := &hooks{class: c.Class, raise: c.RaiseOnError == nil || *c.RaiseOnError, log: log, redact: secrets.Redact}
	if err := h.make(c); err != nil {
		return nil, &lifecycle.Error{
			Op: "spinup.New", Kind: lifecycle.Invalid, Target: "callback_config", Err: h.clean(err),
		}
	}
	if h.class == "" {
		h.class = reflect.TypeOf(h.callback).String()
	}
	return h, nil
}

func (h *hooks) make(c *CallbackConfig) (err error) {
	switch {
	case c.Instance != nil:
		h.callback, h.class = c.Instance, ""
	case c.Class == "":
		h.callback = NopCallback{}
	default:
		e, hint, ok := callbacks.lookup(c.Class)
		if !ok {
			return fmt.Errorf("no callback is registered as %q (%s)", c.Class, hint)
		}
		err = h.guard("its builder", func() (err error) {
			h.callback, err = e.build(c.Kwargs)
			return err
		})
		if err == nil && h.callback == nil {
			err = errors.New("its builder returned nil")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Class, err)
		}
	}
	return checkHooks(reflect.TypeOf(h.callback))
}

// none reports whether there is no callback to run.
func (h *hooks) none() bool {
	_, nop := h.callback.(NopCallback)
	return nop
}

// independent reports whether the callback runs beside the download.
func (h *hooks) independent() bool {
	i, ok := h.callback.(Independent)
	return ok && i.Independent()
}

// run runs one hook of the callback. Its error, or its panic, names the hook and the
// callback and holds no secret; with raise_error_on_callback: false it is logged instead.
func (h *hooks) run(ctx context.Context, name string, s *ReplicaState, call func(Callback) error) error {
	what := name + " of " + h.class
	err := h.guard(what, func() error { return call(h.callback) })
	if err == nil {
		return nil
	}
	kind := lifecycle.KindOf(err)
	if end := lifecycle.FromContext(ctx, "", ""); kind == lifecycle.Unknown && end != nil {
		kind = lifecycle.KindOf(end)
	}
	failed := &lifecycle.Error{Op: "spinup.Callback", Kind: kind, Target: what, Err: h.clean(err)}
	if h.raise {
		return failed
	}
	h.forgive(ctx, name, s, failed)
	return nil
}

func (h *hooks) forgive(ctx context.Context, name string, s *ReplicaState, failed error) {
	h.logger(s).WarnContext(ctx, "a callback failed and raise_error_on_callback is false",
		slog.String("hook", name), slog.String("callback", h.class), slog.Any("err", failed))
}

// guard runs f and makes an error of its panic. The stack is logged at debug level.
func (h *hooks) guard(what string, f func() error) (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		text := h.redact(fmt.Sprint(v))
		h.log.Debug("panic in a callback", slog.String("in", what), slog.String("panic", text),
			slog.String("stack", h.redact(string(debug.Stack()))))
		err = fmt.Errorf("%s panicked: %s", what, text)
	}()
	return f()
}

// clean returns err, or where its text holds a secret, one without it.
func (h *hooks) clean(err error) error {
	text := err.Error()
	if safe := h.redact(text); safe != text {
		return errors.New(safe)
	}
	return err
}

func (h *hooks) logger(s *ReplicaState) *slog.Logger {
	if s != nil && s.Log != nil {
		return s.Log
	}
	return h.log
}
