// Package guardian runs a command so that nothing which descends from it outlives the host
// program, however the host ends.
//
//	g, err := guardian.Start(ctx, guardian.Order{Path: "/usr/bin/vllm", Env: env}, nil)
//	go io.Copy(log, g.Output)
//	exit, err := g.Wait()
//
// A parent-death signal reaches only the direct child, and a process group loses what called
// setsid. So the command gets a parent of its own, the guardian: the host's program, started
// once more through /proc/self/exe. It holds a pipe from the host; the end of that pipe, by
// Kill or by the host's death, makes it kill all that descends from it. On Linux it is the
// subreaper of its descendants, so that a double fork, a new session or an empty environment
// does not lead out of its tree. When the guardian itself is killed, the command dies by its
// parent-death signal and the host kills the rest as far as it was told of it. On other
// Unixes the reach is the command's process group. Windows is not supported.
//
// The guardian also watches: it tells at once when the command ends, and when a descendant
// that the order calls vital is gone, which the command itself may need seconds to notice.
//
// # Taking over the program
//
// A library does not own main, and a host should not have to call us first. So a guardian
// takes over while packages are initialised, by an initialiser in this package that costs
// every other program one look at the environment. What the host's own packages do in their
// initialisers before ours (Go orders them by imports, then by path) happens in the guardian
// too. A Go library inside another program (c-shared) cannot be restarted this way: Start
// then fails when nobody answers.
//
// The command line, environment and folder travel through the pipe: no secret of the command
// is visible in the guardian's own arguments or environment.
package guardian
