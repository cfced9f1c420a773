// Package telemetry makes spans and metrics of a deployment's events. One trace holds a
// deployment: the span spinup.deployment, below it one spinup.replica per replica, below that
// one per stage and those that the engine exports itself.
//
//	t, err := telemetry.New(tracers, meters)
//	t.Begin(ctx)
//	t.Record(event) // of each
//	t.End()
package telemetry
