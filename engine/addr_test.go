package engine_test

import (
	"sync"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/stretchr/testify/require"
)

func TestFreeAddressesAreGivenOnce(t *testing.T) {
	t.Parallel()
	const many = 600 // of 12768 ports: without care some would come twice
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range many / 4 {
				addr, release, err := engine.FreeAddr(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(release)
				mu.Lock()
				seen[addr] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, many)
}
