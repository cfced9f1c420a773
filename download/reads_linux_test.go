package download_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// countReads is a program in which nobody else reads a file. It says how many bytes a download of
// 8 MiB reads that nothing interrupts, and how many one that goes on with 4 MiB.
func countReads(algorithm, dir string) {
	m := &download.Manager{PartSize: mib, Budget: &download.Budget{Connections: 1}}
	src := newMemory(map[string][]byte{"weights": random(1, 8*mib)}, algorithm)
	fetch := func(to string) (read int64) {
		before := bytesRead()
		_, err := m.Fetch(context.Background(), src, filepath.Join(dir, to))
		if err != nil && lifecycle.KindOf(err) != lifecycle.AccessDenied {
			panic(err)
		}
		return bytesRead() - before
	}
	whole := fetch("whole")
	src.fault = func(c call) (io.ReadCloser, error) {
		if c.off >= 4*mib {
			return nil, &lifecycle.Error{Kind: lifecycle.AccessDenied}
		}
		return nil, nil
	}
	fetch("resumed")
	src.fault = nil
	fmt.Println(whole, fetch("resumed"))
}

// bytesRead is what this process has read by system calls.
func bytesRead() (n int64) {
	data, err := os.ReadFile("/proc/self/io")
	if err == nil {
		_, err = fmt.Sscanf(string(data), "rchar: %d", &n)
	}
	if err != nil {
		panic(err)
	}
	return n
}

// Bytes that have been written are read again only where an interruption lies between.
func TestBytesAreReadBackAfterAnInterruptionOnly(t *testing.T) {
	t.Parallel()
	const little = 64 << 10 // journals, and what the system tells
	for _, algorithm := range []string{"crc64nvme", "crc32c", "sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			out, err := helper(t.Context(), "reads", algorithm, t.TempDir()).Output()
			require.NoError(t, err)
			var whole, resumed int64
			_, err = fmt.Sscan(string(out), &whole, &resumed)
			require.NoError(t, err)
			require.Less(t, whole, int64(little))
			times := int64(1)
			if algorithm == "sha256" { // is made of the bytes in order, of those that lay there too
				times = 2
			}
			require.InDelta(t, times*4*mib, resumed, little)
		})
	}
}
