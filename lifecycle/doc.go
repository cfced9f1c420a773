// Package lifecycle holds the vocabulary that every other package of spinup speaks: the
// [Stage] names of a deployment's start, the [Event] that reports one change, the replayed
// [Log] of events, the [Timeline] they add up to, the redacting [EnvVars], and the one
// structured [Error] with its [Kind] and hint.
//
//	log := lifecycle.NewLog()
//	scope := lifecycle.Scope{Emit: log.Append, Model: "m", Replica: "m-0"}
//	err := scope.Run(ctx, lifecycle.StageDownload, func(ctx context.Context, s lifecycle.Scope) error {
//		s.Progress(10, 100, "model.safetensors")
//		return nil
//	})
//	log.Close()
//	lifecycle.TimelineOf(log.All(ctx)).WriteTo(os.Stdout)
//
// It imports nothing else of this module.
package lifecycle
