package bench

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// Words defines a flag of comma-separated words; value is its default.
func Words(flags *flag.FlagSet, to *[]string, name, value, usage string) {
	set := func(s string) error {
		*to = slices.DeleteFunc(strings.Split(s, ","), func(w string) bool { return w == "" })
		return nil
	}
	_ = set(value) // it never fails
	flags.Func(name, fmt.Sprintf("%s (default %q)", usage, value), set)
}
