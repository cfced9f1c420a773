// Package replica keeps engines serving one model: the [Set] of replicas, the
// [Provisioner] of nodes beneath it, and the [Router] and [Gateway] before it.
//
//	set := replica.NewSet(&local.Provisioner{}, start, &replica.SetOptions{Scope: scope})
//	set.Want(2)
//	go set.Run(ctx)
//	err := set.Await(ctx, 2)
//	http.Handle("/", &replica.Gateway{Models: []replica.Model{{ID: "m", Set: set}}})
//
// # The life of a replica
//
//	            ┌────────────── backoff ──────────────┐
//	            ▼                                     │
//	provision → start → ready ──── engine died ───────┤
//	            │         │                           │
//	            │         └ Want lowered, stop → drain → stopped
//	            └ failed: temporary, or served before ┘
//	            └ failed for good: given up, the reason in Set.Err
//
// Each attempt is a replica of its own with an id of its own ("model#1", "model#2", …),
// so that the record of a failed one is not mixed with that of its successor.
package replica
