package local

import "golang.org/x/sys/unix"

// cores are those that the process may use: a container or taskset may leave it any of the
// machine's, and engines inherit that.
func cores() []int {
	var mask unix.CPUSet
	if unix.SchedGetaffinity(0, &mask) != nil {
		return allCores()
	}
	var out []int
	for cpu := range len(mask) * 64 {
		if mask.IsSet(cpu) {
			out = append(out, cpu)
		}
	}
	return out
}
