//go:build linux

package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	reference.Main() // becomes the engine when the program is started as one
	os.Exit(m.Run())
}

// TestVLLMsLoadProgramWorksUnmodified measures next to nothing; what it prints is no
// measurement. The engine is the embedded one: what is tested is the client at our door.
func TestVLLMsLoadProgramWorksUnmodified(t *testing.T) {
	t.Setenv("SPINUP_VLLM", testenv.VLLM(t))
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-engine", "reference", "-rounds", "1", "-prompts", "8", "-concurrency", "4", "-output", "8"}, &out))
	t.Log(out.String())
	require.Regexp(t, `(?m)^engine alone .* 1\.000$`, out.String())
	require.Regexp(t, `(?m)^through the door +\d+\.\d\d `, out.String())
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{"positive": {"-rounds", "0"}, "NAME=URL": {"-also", "nothing"}, "1 arguments": {"more"}} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard), says)
	}
}

func TestRoundsAreCompared(t *testing.T) {
	t.Parallel()
	of := func(tokens ...float64) (all []result) {
		for _, n := range tokens {
			all = append(all, result{Tokens: n})
		}
		return all
	}
	table := report([]destination{{name: "engine alone"}, {name: "door"}}, [][]result{of(100, 10, 100), of(99, 9.9, 50)})
	require.Equal(t, "1.000", table.Rows[0][len(table.Header)-1])
	require.Equal(t, "0.990", table.Rows[1][len(table.Header)-1])
	require.Equal(t, "50.00", table.Rows[1][2])
}
