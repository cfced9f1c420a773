package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes this machine in a line: cores, processor, memory, kernel. What cannot
// be read is left out.
func Machine() string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if cpu := field("/proc/cpuinfo", "model name"); cpu != "" {
		parts[0] += " (" + cpu + ")"
	}
	var kb int64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%d kB", &kb); err == nil {
		parts = append(parts, fmt.Sprintf("%.0f GiB of memory", float64(kb)/(1<<20)))
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, "Linux "+strings.TrimSpace(string(release)))
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}

// field returns the first value of a "name: value" file of the kernel, or "".
func field(path, name string) string {
	data, err := os.ReadFile(path) //nolint:gosec // one of the kernel's
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
