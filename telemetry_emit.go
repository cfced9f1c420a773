package spinup

import (
	"context"
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// outcome says how a stage has ended.
func outcome(e lifecycle.Event) string {
	if e.Phase == lifecycle.Fail {
		return "failed"
	}
	return "ok"
}

// emit records an event, traces it, and logs it: progress at debug, failures as errors,
// the rest as info.
func (d *Deployment) emit(e lifecycle.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	d.log.Append(e)
	d.progress.record(e)
	d.telemetry.record(e)
	level := slog.LevelInfo
	switch e.Phase {
	case lifecycle.Progress:
		level = slog.LevelDebug
	case lifecycle.Fail:
		level = slog.LevelError
	default:
	}
	attrs := []slog.Attr{
		slog.String(attrModel, e.Model), slog.String(attrReplica, e.Replica), slog.String(attrNode, e.Node),
		slog.String(attrStage, string(e.Stage)), slog.String("phase", e.Phase.String()),
	}
	if e.Phase == lifecycle.End || e.Phase == lifecycle.Fail {
		attrs = append(attrs, slog.String(attrOutcome, outcome(e)))
	}
	if e.Message != "" {
		attrs = append(attrs, slog.String("message", e.Message))
	}
	if e.Total > 0 {
		attrs = append(attrs, slog.Int64("done", e.Done), slog.Int64("total", e.Total))
	}
	d.logger.LogAttrs(context.Background(), level, "stage", attrs...) //nolint:forbidigo // events outlive every call
}
