package spinup

import "fmt"

// The types that hold env_vars print themselves: for a verb that does not fit a nested
// pointer, as in Printf("%s", configs), fmt shows what it points to without asking its
// methods, and the secrets with it.

// Format implements fmt.Formatter: every verb prints like %+v, with env_vars redacted.
func (c LLMConfig) Format(f fmt.State, _ rune) {
	type plain LLMConfig
	_, _ = fmt.Fprintf(f, "%+v", plain(c))
}

// Format implements fmt.Formatter: every verb prints like %+v, with env_vars redacted.
func (e RuntimeEnv) Format(f fmt.State, _ rune) {
	type plain RuntimeEnv
	_, _ = fmt.Fprintf(f, "%+v", plain(e))
}

// Format implements fmt.Formatter: every verb prints like %+v, with env_vars redacted.
func (a Application) Format(f fmt.State, _ rune) {
	type plain Application
	_, _ = fmt.Fprintf(f, "%+v", plain(a))
}
