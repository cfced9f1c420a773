package engine

import (
	"log/slog"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Options tune supervision; nil means the defaults.
type Options struct {
	Launcher Launcher // nil means Exec{}
	// Scope is the span that the stages belong to; its Emit gets them as they happen. The
	// moments ready and stopped appear in Process.Events only: what the owner of the scope
	// calls ready may come later. The zero Scope keeps everything in Process.Events.
	Scope lifecycle.Scope
	// ReadyWithin limits the time without progress before the process serves: events of
	// the parser and our own stages are progress, other output is not, as engines that
	// hang may go on to complain. 0 means 10m.
	ReadyWithin time.Duration
	StopWithin  time.Duration // between the stop signal and the kill; 0 means 30s
	Logger      *slog.Logger  // output at debug level; nil means none
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Launcher == nil {
		out.Launcher = Exec{}
	}
	if out.ReadyWithin <= 0 {
		out.ReadyWithin = 10 * time.Minute
	}
	if out.StopWithin <= 0 {
		out.StopWithin = 30 * time.Second
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	return out
}
