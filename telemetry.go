package spinup

import (
	"context"
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/telemetry"
	"github.com/spinup-llm/spinup/lifecycle"
)

// emit records an event, traces it, and logs it: progress at debug, failures as errors,
// the rest as info.
func (d *Deployment) emit(e lifecycle.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	d.log.Append(e)
	d.progress.record(e)
	d.telemetry.Record(e)
	level := slog.LevelInfo
	switch e.Phase {
	case lifecycle.Progress:
		level = slog.LevelDebug
	case lifecycle.Fail:
		level = slog.LevelError
	default:
	}
	attrs := []slog.Attr{
		slog.String(telemetry.Model, e.Model), slog.String(telemetry.Replica, e.Replica), slog.String(telemetry.Node, e.Node),
		slog.String(telemetry.Stage, string(e.Stage)), slog.String("phase", e.Phase.String()),
	}
	if e.Phase == lifecycle.End || e.Phase == lifecycle.Fail {
		attrs = append(attrs, slog.String(telemetry.Outcome, telemetry.OutcomeOf(e)))
	}
	if e.Message != "" {
		attrs = append(attrs, slog.String("message", e.Message))
	}
	if e.Total > 0 {
		attrs = append(attrs, slog.Int64("done", e.Done), slog.Int64("total", e.Total))
	}
	d.logger.LogAttrs(context.Background(), level, "stage", attrs...) //nolint:forbidigo // events outlive every call
}

// engineSpans asks an engine for the spans of its start. A start does not fail for want of them.
func (s *startup) engineSpans(ctx context.Context) engine.Trace {
	tracer, ok := s.engine.(engine.Tracer)
	if !ok {
		return engine.Trace{}
	}
	asked, err := s.telemetry.Engine(ctx, tracer, s.scope, s.env.Redact)
	if err != nil {
		s.state.Log.LogAttrs(ctx, slog.LevelWarn, "no spans of the engine: nothing can listen for them", slog.Any("err", err))
	}
	return asked
}
