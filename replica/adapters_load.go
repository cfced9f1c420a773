package replica

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// bring makes an adapter ready that no replica has loaded.
func (s *Set) bring(ctx context.Context, name string) error {
	s.mu.Lock()
	o := s.current.opts.Adapters
	loaded := slices.ContainsFunc(s.members, func(m *member) bool {
		return m.slot.generation == s.current && m.Stage == lifecycle.StageReady && slices.Contains(m.Adapters, name)
	})
	s.mu.Unlock()
	if o == nil {
		return &adapterError{errNoAdapters}
	}
	if loaded {
		return nil
	}
	if err := o.Bring(ctx, name); err != nil {
		return &adapterError{err}
	}
	return nil
}

var errNoAdapters = &lifecycle.Error{
	Op: "replica", Kind: lifecycle.NotFound, Err: errors.New("the model has no adapters"), Hint: "name the model alone",
}

// prepare waits until the adapter that h holds is loaded, and loads it where that is h's part.
func (s *Set) prepare(ctx context.Context, h hold) error {
	if h.adapter == nil {
		return nil
	}
	if h.load { // also for others, and for later: it ends with the replica, not with this request
		go s.loadAdapter(context.WithoutCancel(ctx), h.member, h.adapter)
	}
	select {
	case <-h.adapter.done:
	default:
		s.preparing(h.member, 1)
		defer s.preparing(h.member, -1)
		select {
		case <-h.adapter.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := h.adapter.err
	if err == nil || errors.Is(err, lifecycle.EngineFailed) || isClosed(h.member.instance.Down()) {
		return err
	}
	return &adapterError{err}
}

// preparing counts the requests at m that the engine does not know of yet.
func (s *Set) preparing(m *member, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.preparing += n
	m.busySince = time.Now()
}

// loadAdapter has m's engine load a in the place of what makes room for it, while m serves.
func (s *Set) loadAdapter(ctx context.Context, m *member, a *adapter) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-m.instance.Down():
			cancel()
		case <-ctx.Done():
		}
	}()
	began := time.Now()
	err := s.exchange(ctx, m, a)
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelWarn
	}
	s.opts.Logger.LogAttrs(ctx, level, "adapter asked for", slog.String("replica", m.ID), slog.String("adapter", a.name),
		slog.Duration("took", time.Since(began)), slog.Any("err", err))
	s.update(func() {
		if a.err = err; err != nil {
			delete(m.adapters, a.name)
		}
		m.listAdapters(a.name, err == nil)
		m.loads--
		close(a.done)
	})
}

// exchange has m's engine, which may sleep, unload what makes room for a, and load a.
func (s *Set) exchange(ctx context.Context, m *member, a *adapter) error {
	if err := s.awake(ctx, m); err != nil {
		if a.instead != nil {
			s.update(func() { a.instead.leaving = false })
		}
		return &lifecycle.Error{Op: "replica", Kind: lifecycle.EngineFailed, Target: m.ID, Err: err}
	}
	if a.instead != nil {
		s.unloadAdapter(ctx, m, a.instead)
	}
	return m.instance.(AdapterLoader).LoadAdapter(ctx, a.name)
}

// unloadAdapter makes room. What the engine cannot unload it may keep: nobody asks for it any more.
func (s *Set) unloadAdapter(ctx context.Context, m *member, a *adapter) {
	s.update(func() { m.listAdapters(a.name, false) })
	err := m.instance.(AdapterLoader).UnloadAdapter(ctx, a.name)
	if err != nil {
		s.opts.Logger.LogAttrs(ctx, slog.LevelWarn, "adapter not unloaded",
			slog.String("replica", m.ID), slog.String("adapter", a.name), slog.Any("err", err))
	}
	s.update(func() { delete(m.adapters, a.name) })
}

// listAdapters shows in snapshots, which may be around, whether m has an adapter.
func (m *member) listAdapters(name string, loaded bool) {
	list := slices.DeleteFunc(slices.Clone(m.Adapters), func(n string) bool { return n == name })
	if loaded {
		list = append(list, name)
	}
	slices.Sort(list)
	m.Adapters = list
}

// settle waits for the loads of a member that has ended.
func (s *Set) settle(m *member) {
	for {
		s.mu.Lock()
		loads, changed := m.loads, s.changed
		s.mu.Unlock()
		if loads == 0 {
			return
		}
		<-changed
	}
}

// adapters are the names of those that are loaded, sorted.
func (s *Set) adapters() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[string]bool{}
	for _, m := range s.members {
		if m.slot.generation == s.current {
			for _, name := range m.Adapters {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
