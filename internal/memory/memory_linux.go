package memory

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limit is how much memory this process and its children may use, in bytes: the machine's,
// or less where a control group says so; 0 where it is not known.
func Limit() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	total := int64(info.Totalram) * int64(info.Unit) //nolint:gosec // the fields' widths differ between architectures
	return groupLimit("/", total)
}

// groupLimit is the smallest of total and the limits of the control groups that this process is
// in, each of which holds for what is below it. Within a container the groups above its own
// may be named and not be there.
func groupLimit(root string, total int64) int64 {
	unified, memory := groups(root)
	for _, h := range []struct{ mount, group, file string }{
		{"sys/fs/cgroup", unified, "memory.max"},
		{"sys/fs/cgroup/memory", memory, "memory.limit_in_bytes"},
	} {
		for dir := h.group; ; dir = path.Dir(dir) {
			total = min(total, read(filepath.Join(root, h.mount, dir, h.file), total))
			if dir == "/" {
				break
			}
		}
	}
	return total
}

// groups are those of this process, of version 2 and of version 1 for memory, as cgroups(7) has them.
func groups(root string) (unified, memory string) {
	unified, memory = "/", "/"
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup")) //nolint:gosec // root is / or a test's
	for line := range strings.Lines(string(text)) {
		id, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		switch {
		case id == "0":
			unified = path.Clean("/" + group)
		case slices.Contains(strings.Split(controllers, ","), "memory"):
			memory = path.Clean("/" + group)
		}
	}
	return unified, memory
}

// read returns the number in file, or unknown where there is none, as where it says max.
func read(file string, unknown int64) int64 {
	data, err := os.ReadFile(file) //nolint:gosec // one of the system's or of a test's
	if err != nil {
		return unknown
	}
	limit, err := strconv.ParseInt(string(bytes.TrimSpace(data)), 10, 64)
	if err != nil {
		return unknown
	}
	return limit
}
