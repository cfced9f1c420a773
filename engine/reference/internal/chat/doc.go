// Package chat renders the Jinja chat template of a model: messages in, prompt out, as the
// transformers library does.
//
//	t, err := chat.Parse(source, chat.Tokens{BOS: "<s>", EOS: "</s>"})
//	prompt, err := t.Render(chat.Input{Messages: json.RawMessage(`[{"role":"user","content":"Hi"}]`)})
//
// # Errors
//
// Parse and Render fail with plain errors that name the line of the template. What a
// template says with raise_exception is a [*jinja.Raised].
package chat
