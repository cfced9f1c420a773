package reference

import (
	"os"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/internal/memory"
)

// freeMemory returns the bytes of memory that this process can still get, as far as Linux
// tells, or 0 when that is unknown.
func freeMemory() int64 {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := memAvailable(string(meminfo))
	if limit := memory.Limit(); limit > 0 {
		free = min(free, limit)
	}
	return free
}

// memAvailable reads the line "MemAvailable: 123 kB".
func memAvailable(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemAvailable:" {
			n, err := strconv.ParseInt(fields[1], 10, 64)
			if err == nil {
				return n << 10
			}
		}
	}
	return 0
}
