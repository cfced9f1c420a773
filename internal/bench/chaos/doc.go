//go:build linux

// Chaos holds a deployment under steady load, whole answers and streams through its HTTP
// door, while it breaks one thing after another at random moments:
//
//	go run ./internal/bench/chaos                  # two replicas of the reference engine
//	go run ./internal/bench/chaos -engine vllm -accelerator none -kills 5 # SPINUP_VLLM=$(internal/setup/vllm.sh)
//	go run ./internal/bench/chaos -faults kill,freeze -kills 3 -duration 5s -seed 7
//
// It begins with a start of one replica more (what a replacement may take), and a time under
// load without faults (how long an answer takes). Then, in an order that the seed decides:
//
//   - kill: an engine by SIGKILL; of vLLM any of its processes
//   - freeze: an engine by SIGSTOP, until its stall was found; SIGCONT comes after
//   - disk: the cache's disk is full while an engine is killed and an update has to fetch (a
//     small tmpfs, which only root can make)
//   - network: the link to the source is cut while an engine is killed and its successor has
//     to fetch
//   - update: another revision of the configuration, with files of its own
//   - scale: one replica more, then as many as before
//   - stop: the end, with requests for long answers in flight
//
// A fault waits until all standbys are there (-standbys), and until no request is under way
// that has lost an engine and is at another: the fifth engine that is lost ends a request, as
// it might be the reason.
//
// Per kind it prints how many requests ended from the first fault of that kind to the next
// fault of another: answered, retried on another replica, failed before their first byte,
// ended by an error event after it, and cut without one; the time of those that no fault
// touched (sent once, to a replica that nobody broke); how long the deployment took back to
// full strength; and the processes that were left. The exit code is 1 when a promise is
// broken: a request that failed before its first byte or was cut without an event, a
// process left, full strength not reached.
package main
