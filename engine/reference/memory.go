package reference

import (
	"os"
	"strconv"
	"strings"
)

// freeMemory returns the bytes of memory that this process can still get, as far as Linux
// tells, or 0 when that is unknown.
func freeMemory() int64 {
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	free := memAvailable(string(meminfo))
	if limit, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if n, err := strconv.ParseInt(strings.TrimSpace(string(limit)), 10, 64); err == nil && n > 0 {
			free = min(free, n)
		}
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
