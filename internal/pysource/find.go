package pysource

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Package finds the folder of the package name behind a program, "" where there is none: the
// program's script names the interpreter, beside which the packages lie. A folder counts
// that has the file marker; an editable install is followed.
func Package(program, name, marker string) string {
	prefixes := []string{filepath.Dir(filepath.Dir(program))}
	if target, err := filepath.EvalSymlinks(program); err == nil {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(target)))
	}
	if python := Interpreter(program); python != "" {
		prefixes = append(prefixes, filepath.Dir(filepath.Dir(python)))
	}
	prefixes = append(prefixes, "/usr/local", "/usr")
	for _, prefix := range prefixes {
		for _, packages := range []string{"site-packages", "dist-packages"} {
			dirs, _ := filepath.Glob(filepath.Join(prefix, "lib", "python3*", packages)) // the pattern is well-formed
			for _, dir := range dirs {
				if pkg := packageIn(dir, name, marker); pkg != "" {
					return pkg
				}
			}
		}
	}
	return ""
}

// packageIn returns the package in a folder of packages.
func packageIn(dir, name, marker string) string {
	isPackage := func(pkg string) bool {
		_, err := os.Stat(filepath.Join(pkg, filepath.FromSlash(marker))) //nolint:gosec // a file of the installation
		return err == nil
	}
	if pkg := filepath.Join(dir, name); isPackage(pkg) {
		return pkg
	}
	links, _ := filepath.Glob(filepath.Join(dir, "*"+name+"*.pth")) // the pattern is well-formed
	for _, link := range links {
		text, err := os.ReadFile(link) //nolint:gosec // a file of the installation
		if err != nil {
			continue
		}
		if pkg := filepath.Join(strings.TrimSpace(string(text)), name); isPackage(pkg) {
			return pkg
		}
	}
	return ""
}

// pythonPath matches the interpreter's path in a script's first lines, also where it is too
// long for a #! line and stands in an exec.
var pythonPath = regexp.MustCompile(`(/[^\s"']*/bin/(?:python|pypy)[0-9.]*)`)

// Interpreter returns the path of the interpreter that a script names, or "".
func Interpreter(script string) string {
	f, err := os.Open(script) //nolint:gosec // the program that the caller named
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for range 4 {
		if !lines.Scan() {
			break
		}
		if m := pythonPath.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	return ""
}
