// Package replica keeps engines serving one model: the [Set] of replicas, the
// [Provisioner] of nodes beneath it, and the [Router] and [Gateway] before it.
//
//	set := replica.NewSet(&local.Provisioner{}, start, &replica.SetOptions{Scope: scope})
//	set.Want(2)
//	go set.Run(ctx)
//	err := set.Await(ctx, 2)
//	http.Handle("/", replica.NewGateway(nil, replica.Model{ID: "m", Set: set}))
//
// # The life of a replica
//
//	            ┌──── at once, or after a backoff where it fails again and again ────┐
//	            ▼                                                                    │
//	provision → start → ready ──── the engine died ──────────────────────────────────┤
//	    │         │     │   ▲                                                        │
//	    │         │     ▼   │ it serves                                              │
//	    │         │    doubt ─── it says that it does not, or gives no sign of life ─┤ killed
//	    │         │     │                                                            │
//	    │         └─────┼──────── a temporary failure, or the model served before ───┘
//	    │               │
//	    │               └ Want lowered, Update, stop → drain → stopped
//	    └ a failure for good → given up, the reason in Set.Err
//
// Each attempt is a replica of its own with an id of its own ("model#1", "model#2", …),
// so that the record of a failed one is not mixed with that of its successor.
//
// Requests reach a replica only while it is ready. A refused or broken connection, an answer
// of 500 or above, and a time without any byte put it in doubt at once: it is out of routing,
// and asked. What is busy but alive is not killed.
//
// An engine that can ([Sleeper]) sleeps when it has had no request for [SetOptions].Sleep. It
// stays ready; the next request wakes it, and waits for that.
//
// # The way of a request
//
// It gets a replica from the set's [Picker], or waits in a queue, within [Limits]: while
// nothing is ready, or all have as many requests as they may. Callers, told apart by their
// keys, are served in turn. While no byte of its answer has gone out, a failed engine means
// another replica, up to five of them; after that a stream ends with an event that holds
// an OpenAI-shaped error. What no replica can take is answered 503 (none is ready) or 429
// (all are busy) with Retry-After. While every replica has failed again and again, the
// circuit is open: requests get the reason at once.
//
// A request that names one of the set's [Adapters] goes to a member that has loaded it, or
// has room for it; the first one at a member makes it load. One that a request uses stays.
//
// # Errors
//
// A replica that failed for good, for example as the model does not exist, ends Run, Await
// and Update with its reason; what is temporary is tried again for ever. See
// [lifecycle.Kind].
package replica
