// Package jinja renders chat templates: the part of Jinja that models use, as the
// transformers library sets it up (trim_blocks, lstrip_blocks, loop controls, an immutable
// sandbox) and with the meaning that Python gives to it.
//
//	t, err := jinja.Parse("{{ bos_token }}{% for m in messages %}{{ m.content | trim }}{% endfor %}")
//	text, err := t.Render(map[string]any{"bos_token": "<s>", "messages": messages})
//
// A template that means the wrong thing is worse than one that fails: what is not
// supported (template inheritance, rarely used filters) is an error of Parse, as is any
// name of a filter or test that Jinja does not know, and Python's errors are errors of
// Render. Rendering ends: a template that runs on, or builds without limit, is an error.
//
// It is a package of its own because the Go libraries for Jinja that could be had render
// a good part of the constructs of published templates otherwise, some silently.
package jinja
