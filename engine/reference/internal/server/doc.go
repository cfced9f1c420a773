// Package server speaks the OpenAI API for one model: /v1/models, /v1/chat/completions and
// /v1/completions, streamed or not, beside /health and /ping.
//
//	s := server.New("tiny")
//	go http.Serve(listener, s) // answers 503 until the model is there
//	s.Serve(server.Backend{Generator: g, Tokenizer: tok, Template: template})
//
// A parameter that this engine cannot honour, and that would change the answer, is refused
// by name; one with the value that means "off" is accepted, and so are those that only say
// who asks.
//
// # Errors
//
// Clients get errors in the form of the OpenAI API: 400 with the parameter's name, 404 for
// another model, 413 for a body that is too large, 503 with Retry-After while the model is
// loading or too many requests wait.
package server
