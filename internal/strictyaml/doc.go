// Package strictyaml decodes YAML into Go structs and tells everything that is wrong at once,
// each problem with file, line, column, path and, where a near name exists, a suggestion.
//
//	var report strictyaml.Report
//	root := strictyaml.Parse("config.yaml", data, &report)
//	(&strictyaml.Decoder{Report: &report}).Decode(root, &config)
//	err := report.Err("spinup.Load")
//
// Plain scalars mean what YAML 1.1 as implemented by PyYAML's SafeLoader makes of them, since
// that is what Ray reads: yes is true, 12:30 is 750, 010 is 8, and 1e3 is text. Dates stay
// the text that was written. testdata/scalars.py makes the table that proves it.
//
// Fields are matched by their yaml tag. Beside a name, a tag may say ",inline" (a
// map[string]any that takes all other keys) and ",short" (a plain string in the place of the
// struct sets this field). Duplicate keys, unknown fields, several documents and tags of
// programs are errors; aliases and merge keys work, within bounds, and a key of the root that
// begins with "x-" may hold what they name.
//
// # Errors
//
// Every problem is a [lifecycle.Error] of kind Invalid. Messages name keys and types but
// never quote a value: what stands in the wrong place may be a secret.
package strictyaml
