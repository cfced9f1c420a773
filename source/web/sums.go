package web

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/source"
)

var (
	gnuLine = regexp.MustCompile(`^(\\?)([0-9A-Fa-f]{64}) [ *](.+)$`)
	bsdLine = regexp.MustCompile(`^SHA256 \((.+)\) = ([0-9A-Fa-f]{64})$`)
	unquote = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r")
)

// parseSums reads what sha256sum(1) writes, in either of its forms. Empty lines and comments
// are passed over.
func parseSums(text string) (map[string]source.Digest, error) {
	sums := map[string]source.Digest{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) == "" || line[0] == '#' {
			continue
		}
		var name, sum string
		if m := gnuLine.FindStringSubmatch(line); m != nil {
			if name, sum = m[3], m[2]; m[1] != "" {
				name = unquote.Replace(name)
			}
		} else if m := bsdLine.FindStringSubmatch(line); m != nil {
			name, sum = m[1], m[2]
		} else {
			return nil, fmt.Errorf("line %d of %s is not one of sha256sum", n, sumsName)
		}
		name = strings.TrimPrefix(name, "./")
		digest := source.Digest{Algorithm: "sha256", Hex: strings.ToLower(sum)}
		if was, ok := sums[name]; ok && was != digest {
			return nil, fmt.Errorf("line %d of %s contradicts another", n, sumsName)
		}
		sums[name] = digest
	}
	return sums, nil
}
