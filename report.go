package spinup

import (
	"context"
	"log/slog"

	"github.com/spinup-llm/spinup/lifecycle"
)

// emit records an event and logs it: progress at debug, failures as errors, the rest as info.
func (d *Deployment) emit(e lifecycle.Event) {
	d.log.Append(e)
	level := slog.LevelInfo
	switch e.Phase {
	case lifecycle.Progress:
		level = slog.LevelDebug
	case lifecycle.Fail:
		level = slog.LevelError
	default:
	}
	attrs := []slog.Attr{
		slog.String("model", e.Model), slog.String("replica", e.Replica),
		slog.String("stage", string(e.Stage)), slog.String("phase", e.Phase.String()),
	}
	if e.Message != "" {
		attrs = append(attrs, slog.String("message", e.Message))
	}
	if e.Total > 0 {
		attrs = append(attrs, slog.Int64("done", e.Done), slog.Int64("total", e.Total))
	}
	d.logger.LogAttrs(context.Background(), level, "stage", attrs...) //nolint:forbidigo // events outlive every call
}
