package enginetest

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func (c Config) parser(t *testing.T) {
	t.Parallel()
	exits := []int{-1, 0, 1, 2, 127, 128 + 9, 128 + 11, 128 + 15}
	for name, lines := range c.outputs(t) {
		first := c.feed(t, c.Engine.NewParser(c.Spec), lines, name)
		other := c.Engine.NewParser(c.Spec)
		require.Equal(t, first, c.feed(t, other, lines, name), "%s: parsers share nothing", name)
		for _, exit := range exits {
			e := other.Explain(exit)
			require.NotNil(t, e, "%s: Explain(%d)", name, exit)
			require.Error(t, e.Err, "%s: Explain(%d) has a cause", name, exit)
			requireHelpful(t, e, name)
		}
	}
}

// feed parses lines in a buffer that is used again for each, as by Start.
func (c Config) feed(t *testing.T, p engine.Parser, lines [][]byte, name string) []lifecycle.Event {
	t.Helper()
	var all []lifecycle.Event
	var buf []byte
	for _, line := range lines {
		buf = append(buf[:0], line...)
		events := p.Parse(buf)
		for _, e := range events {
			require.NotEmpty(t, e.Stage, "%s: %q makes an event without a stage", name, line)
			require.NotEqual(t, "invalid", e.Phase.String(), "%s: %q makes an event without a phase", name, line)
			require.False(t, e.Total > 0 && e.Done > e.Total, "%s: %q is past its end", name, line)
		}
		all = append(all, events...)
		clear(buf)
	}
	return all
}

// outputs are the recordings, each also cut and mangled, and junk.
func (c Config) outputs(t *testing.T) map[string][][]byte {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same junk each time
	junk := make([][]byte, 500)
	for i := range junk {
		junk[i] = make([]byte, 1+rnd.IntN(300))
		for j := range junk[i] {
			junk[i][j] = byte(rnd.IntN(256)) //nolint:gosec // it fits
		}
	}
	outputs := map[string][][]byte{
		"no output": nil, "junk": junk,
		"long lines": {bytes.Repeat([]byte("x"), 64<<10), bytes.Repeat([]byte("9"), 64<<10), []byte(strings.Repeat("100%|", 10<<10))},
	}
	if c.Outputs == nil {
		return outputs
	}
	err := fs.WalkDir(c.Outputs, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(c.Outputs, name)
		lines := bytes.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
		outputs[name] = lines
		outputs["mangled "+name] = mangle(rnd, lines)
		return err
	})
	require.NoError(t, err)
	return outputs
}

// mangle cuts lines short, repeats some, and swaps neighbours.
func mangle(rnd *rand.Rand, lines [][]byte) [][]byte {
	out := make([][]byte, 0, len(lines))
	for _, line := range lines {
		switch rnd.IntN(4) {
		case 0:
			line = line[:rnd.IntN(len(line)+1)]
		case 1:
			out = append(out, line)
		}
		out = append(out, line)
		if n := len(out); n > 1 && rnd.IntN(4) == 0 {
			out[n-1], out[n-2] = out[n-2], out[n-1]
		}
	}
	return out
}
