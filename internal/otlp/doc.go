// Package otlp receives spans over OTLP/HTTP in the protobuf encoding, on loopback. It is
// what an engine exports the spans of its start to.
//
//	r, err := otlp.Listen(ctx)
//	defer r.Close()
//	e := r.Open(func(spans []otlp.Span) { … })
//	defer e.Close()
//	export(e.URL)
//
// Each sender has an endpoint of its own, with a path that nobody can guess: other users of
// the machine can reach the port, and cannot make up spans. Keep the URL out of argument
// lists, which every user can read.
package otlp
