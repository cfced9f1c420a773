//go:build linux

package proxy_test

import (
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/proxy"
	"github.com/stretchr/testify/require"
)

func TestHeadsAreCountedWhereverTheyAreCut(t *testing.T) {
	t.Parallel()
	stream := "GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /b HTTP/1.1\r\n\r\r\n\r\n"
	for i := range stream {
		require.EqualValues(t, 2, proxy.CountHeads(stream[:i], stream[i:]), "cut at %d", i)
	}
}
