package sglang

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/internal/pysource"
)

// optionKind says how an option takes its value on the command line.
type optionKind uint8

const (
	scalarOption optionKind = iota // --x VALUE
	boolOption                     // --x and --no-x
	switchOption                   // --x alone; there is no --no-x
	listOption                     // --x A B C
)

// options are the options of `sglang serve` by name, as engine_kwargs spell it.
type options map[string]optionKind

// fewestOptions is below what any SGLang has: a list that is shorter was misread.
const fewestOptions = 60

// readOptions reads the list from the sources of an installed SGLang. It returns nil when
// they are not there or are written in a way that it does not know.
func readOptions(pkg string) options {
	if pkg == "" {
		return nil
	}
	files, _ := filepath.Glob(filepath.Join(pkg, "srt/arg_groups/fields/*.py")) // the pattern is well-formed
	found := options{}
	for _, file := range append(files, filepath.Join(pkg, "srt/server_args.py")) {
		if src, err := os.ReadFile(file); err == nil { //nolint:gosec // a file of the installation
			found.scan(pysource.WithoutDocs(string(src)))
		}
	}
	if len(found) < fewestOptions {
		return nil
	}
	return found
}

var (
	field       = regexp.MustCompile(`(?m)^    ([a-z]\w*): A\[`)
	addArgument = regexp.MustCompile(`add_argument\(`)
	ownName     = regexp.MustCompile(`cli_name="--([a-z][\w-]*)"`)
	aliases     = regexp.MustCompile(`aliases=\[`)
	longName    = regexp.MustCompile(`["']--([a-z][\w-]*)["']`)
)

// scan adds the options that a source declares: a field of the settings, "x: A[TYPE, …]",
// makes an option --x, unless it says otherwise; a few are added by call.
func (o options) scan(src string) {
	for _, at := range field.FindAllStringSubmatchIndex(src, -1) {
		text := pysource.Balanced(src[at[1]:])
		if strings.Contains(text, "no_cli=True") {
			continue
		}
		name, kind := src[at[2]:at[3]], kindOf(text)
		if m := ownName.FindStringSubmatch(text); m != nil {
			name = m[1]
		}
		o.add(name, kind)
		if list := aliases.FindStringIndex(text); list != nil {
			o.addAll(pysource.Balanced(text[list[1]:]), kind)
		}
	}
	for _, at := range addArgument.FindAllStringIndex(src, -1) {
		call := pysource.Balanced(src[at[1]:])
		names, _, _ := strings.Cut(call, "=")
		o.addAll(names, kindOf(call))
	}
}

func (o options) add(name string, kind optionKind) { o[strings.ReplaceAll(name, "-", "_")] = kind }

func (o options) addAll(text string, kind optionKind) {
	for _, m := range longName.FindAllStringSubmatch(text, -1) {
		o.add(m[1], kind)
	}
}

// kindOf follows the rules by which SGLang makes an option of a field, or says of a call
// what argparse makes of it.
func kindOf(text string) optionKind {
	of := strings.TrimPrefix(strings.TrimSpace(text), "Optional[")
	switch {
	case strings.Contains(text, "BooleanOptionalAction"):
		return boolOption
	case strings.Contains(text, `nargs="*"`), strings.Contains(text, `nargs="+"`), strings.Contains(text, `"nargs": "*"`):
		return listOption
	case strings.Contains(text, "store_true"), strings.Contains(text, "DeprecatedStoreTrueAction"), strings.HasPrefix(of, "bool"):
		return switchOption
	case (strings.HasPrefix(of, "List[") || strings.HasPrefix(of, "list[")) && !strings.Contains(text, "type_parser="):
		return listOption
	}
	return scalarOption
}
