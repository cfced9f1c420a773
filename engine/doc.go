// Package engine runs inference engines. An [Engine] is what to run: a command from a
// [Spec], and a parser from its output to stages. A [Launcher] is how to run it: a
// subprocess, a pod, a Ray actor. [Start] joins the two and supervises.
//
//	p, err := engine.Start(ctx, vllm.Engine{}, engine.Spec{ModelID: "m", Dir: dir}, nil)
//	if err != nil {
//		return err
//	}
//	defer p.Stop(ctx)
//	if err := p.Ready(ctx); err != nil {
//		return err // says why, and what to do
//	}
//	resp, err := http.Get(p.Endpoint().JoinPath("v1/models").String())
//
// # The way of a process
//
//	            launched ──── ReadyPath answers 200 ──── warm-up answered
//	               │                    │                       │
//	Start ─► starting ───────────────────────────────────────► serving ─► ended
//	               └── a death, no progress, a failed warm-up ──┴────┘
//	                   Stop, or the end of Start's context
//
// From Start to ready exactly one stage is open, so every second belongs to one. It is check
// at first and preload from the launch on; a Begin of the parser's ends it and opens the next.
//
// [Preload] launches a process before there is a model. Its preload is open until it has
// nothing more to do without one, and engine_config begins when it has been told and preload
// is over, whichever is later; between the two it only waits, and no stage is open. One that
// is begun before it is known for whom is a standby; [Preloaded.Adopt] says so later.
//
// An end that nobody asked for is a failure, whatever the exit code, and so is the end of a
// descendant that [Command] calls vital. [Process.Down] is closed at once, [Process.Err]
// says why as soon as the output up to then is read, and [Process.Done] is closed when
// nothing is left running.
//
// # Nothing outlives the host
//
// [Exec] runs each command below a guardian process, which ends everything that descends
// from the command when the host ends, also by kill -9. Hosts do nothing for it.
//
// # Errors
//
// Errors are [*lifecycle.Error]: Invalid for what the driver's Check or the address rules
// out, NotFound and AccessDenied for the program, EngineFailed for an exit, a lost process
// or a failed warm-up, Timeout for a start without progress, Canceled for a start that was
// stopped. What comes from the engine, lines included, is redacted by the values of its
// environment before it reaches an error, an event or a log.
package engine
