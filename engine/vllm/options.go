package vllm

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/pysource"
)

// optionKind says how an option takes its value on the command line.
type optionKind uint8

const (
	scalarOption   optionKind = iota // --x VALUE
	boolOption                       // --x and --no-x
	switchOption                     // --x alone; there is no --no-x
	optionalOption                   // --x alone or --x VALUE
	listOption                       // --x A B C
	jsonOption                       // --x JSON
	repeatedOption                   // --x A --x B
)

// options are the options of `vllm serve` by name, as engine_kwargs spell it (snake case).
type options map[string]optionKind

// fewestOptions is below what any vLLM has: a list that is shorter was misread.
const fewestOptions = 60

// readOptions reads the list from the sources of an installed vLLM, which takes
// milliseconds where asking the program takes its imports of many seconds. It returns nil
// when the sources are not there or are written in a way that it does not know.
func readOptions(pkg string) options {
	if pkg == "" {
		return nil
	}
	files := []string{filepath.Join(pkg, "engine", "arg_utils.py")}
	for _, pattern := range []string{"entrypoints/openai/cli_args.py", "entrypoints/launchers/cli_args.py"} {
		files = append(files, filepath.Join(pkg, filepath.FromSlash(pattern)))
	}
	found := options{}
	for _, file := range files {
		src, err := os.ReadFile(file) //nolint:gosec // a file of the installation
		if err == nil {
			maps.Copy(found, scanOptions(string(src)))
		}
	}
	if len(found) < fewestOptions {
		return nil
	}
	return found
}

func (o options) names() []string { return slices.Sorted(maps.Keys(o)) }

var (
	classHead   = regexp.MustCompile(`(?m)^class (\w*(?:FrontendArgs|EngineArgs)\w*)\b`)
	classField  = regexp.MustCompile(`^    ([a-z]\w*)\s*:\s*(.*)$`)
	classEnd    = regexp.MustCompile(`\n[@\w]`) // the next line without indentation
	addArgument = regexp.MustCompile(`add_argument\(`)
	optionName  = regexp.MustCompile(`["']--([a-z][a-z0-9_-]*)["']`)
	wholeWord   = regexp.MustCompile(`\w+`)
)

// scanOptions finds the options that one of vLLM's sources declares: by the literal calls
// of add_argument, and by the fields of the front end's dataclass, from which calls are
// made in a loop. The annotations of the dataclasses tell the kinds.
func scanOptions(src string) options {
	src = pysource.WithoutDocs(src)
	fields := map[string]optionKind{}
	found := options{}
	for _, at := range classHead.FindAllStringSubmatchIndex(src, -1) {
		isFrontend := strings.Contains(src[at[2]:at[3]], "Frontend")
		for name, kind := range scanFields(src[at[1]:]) {
			fields[name] = kind
			if isFrontend {
				found[name] = kind
			}
		}
	}
	for _, at := range addArgument.FindAllStringIndex(src, -1) {
		call := pysource.Balanced(src[at[1]:])
		for _, m := range optionName.FindAllStringSubmatch(call, -1) {
			name := strings.ReplaceAll(m[1], "-", "_")
			if name != "help" {
				found[name] = kindOfCall(call, fields[name])
			}
		}
	}
	for name := range found {
		if kind, special := specialOptions[name]; special {
			found[name] = kind
		}
	}
	return found
}

// specialOptions are those whose command line differs from what their annotation says.
var specialOptions = options{
	"allowed_origins": jsonOption, "allowed_methods": jsonOption, "allowed_headers": jsonOption,
	"default_chat_template_kwargs": jsonOption, "middleware": repeatedOption,
}

// scanFields reads the annotated fields of the class whose body src begins with.
func scanFields(src string) map[string]optionKind {
	fields := map[string]optionKind{}
	if end := classEnd.FindStringIndex(src); end != nil {
		src = src[:end[0]]
	}
	lines := strings.Split(src, "\n")
	for i, line := range lines {
		m := classField.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		annotation := m[2]
		for j := i + 1; j < len(lines) && j < i+8 && depth(annotation) > 0; j++ {
			annotation += " " + strings.TrimSpace(lines[j])
		}
		fields[m[1]] = kindOfAnnotation(annotation)
	}
	return fields
}

func depth(s string) int {
	return strings.Count(s, "(") + strings.Count(s, "[") - strings.Count(s, ")") - strings.Count(s, "]")
}

// kindOfAnnotation follows the rules by which vLLM makes arguments of annotated fields.
func kindOfAnnotation(text string) optionKind {
	text, _, _ = strings.Cut(text, "=")
	words := wholeWord.FindAllString(text, -1)
	has := func(names ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(names, w) })
	}
	outer := strings.Trim(strings.TrimSpace(text), `("' `)
	switch {
	case has("bool") && has("str"):
		return optionalOption
	case has("bool"):
		return boolOption
	case has("dict", "Dict") || strings.Contains(text, "Config"):
		return jsonOption
	case has("list", "List", "set", "Set", "tuple", "Tuple", "Sequence") && !strings.HasPrefix(outer, "Literal"):
		return listOption
	}
	return scalarOption
}

// kindOfCall lets what a call of add_argument says win over the field's annotation.
func kindOfCall(call string, field optionKind) optionKind {
	switch {
	case strings.Contains(call, "store_true"):
		return switchOption
	case strings.Contains(call, "BooleanOptionalAction"), strings.Contains(call, "StoreBoolean"):
		return boolOption
	case strings.Contains(call, `.split(",")`):
		return scalarOption
	case strings.Contains(call, "json.loads"):
		return jsonOption
	case strings.Contains(call, `nargs="+"`), strings.Contains(call, `nargs='+'`), strings.Contains(call, `nargs="*"`), strings.Contains(call, `nargs='*'`):
		return listOption
	}
	return field
}
