package spinup_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestManyLargeBodiesAreBounded begins 128 requests of 8 MiB and ends none of them, with room
// for four. Memory stays in proportion to that, and all of it is given back.
//
//nolint:paralleltest // it measures the memory of this process
func TestManyLargeBodiesAreBounded(t *testing.T) {
	const size, room, clients = 8 << 20, 32 << 20, 128
	o := quiet()
	o.Gateway = replica.GatewayOptions{MaxBody: size, Bodies: room, BodyWithin: time.Second}
	addr, goroutines := serveDoor(t, o)
	before, running := heap(), goroutines()
	request := fmt.Appendf(nil, "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size-1))
	statuses := make(chan string, clients)
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			status, _, _ := strings.Cut(strings.TrimPrefix(rawBytes(t, addr, request), "HTTP/1.1 "), " ")
			statuses <- status
		})
	}
	ended := make(chan struct{})
	go func() {
		wg.Wait()
		close(ended)
	}()
	most := before
	for sampling := true; sampling; {
		select {
		case <-ended:
			sampling = false
		case <-time.After(50 * time.Millisecond):
			most = max(most, heap())
		}
	}
	close(statuses)
	seen := map[string]int{}
	for s := range statuses {
		seen[s]++
	}
	t.Logf("answers by status: %v; at most %d MiB more than before", seen, (most-before)>>20)
	require.Positive(t, seen["408"], "what had room did not arrive in time")
	require.Positive(t, seen["503"], "what had none was told so in time")
	require.Equal(t, clients, seen["408"]+seen["503"], "%v", seen)
	require.Less(t, most, before+2*room+2*size, "the text of the requests is the client's")
	require.Eventually(t, func() bool { return goroutines() <= running }, 20*time.Second, 50*time.Millisecond)
	request = nil
	require.Eventually(t, func() bool { return heap() < before+size }, 10*time.Second, 50*time.Millisecond, "memory is given back")
	code, answer := ask(t, http.DefaultClient, "http://"+addr+"/v1/completions", `{"model":"tiny","prompt":"Hello","max_tokens":2}`)
	require.Equal(t, http.StatusOK, code, answer)
}
