// Package generate turns prompts into answers: it shares one model fairly among requests,
// samples tokens, and makes text of them that can be sent at once.
//
//	g := generate.New(m, tok, generate.Options{MaxSeqs: 4, MaxLen: 2048, EOS: eos})
//	res, err := g.Generate(ctx, generate.Request{Prompt: ids, MaxTokens: 64}, func(text string) error {
//		_, err := io.WriteString(w, text)
//		return err
//	})
//
// Requests take turns, a token each, or a piece of their prompt; nobody waits for the end
// of somebody else's answer. A request that finds all places taken waits in a bounded line.
//
// # Errors
//
// [ErrBusy] when the line is full; the cause of the context's end; what emit returns.
package generate
