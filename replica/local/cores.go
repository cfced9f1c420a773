package local

import (
	"runtime"
	"slices"
)

// coresOf returns those of one of n equal shares of the cores; shares overlap when there are
// fewer cores than shares. One share has all, which is said by nil.
func coresOf(share, n int, cores []int) []int {
	if n <= 1 || len(cores) == 0 {
		return nil
	}
	each := max(1, len(cores)/n)
	first := share * each % len(cores)
	out := make([]int, 0, each)
	for i := range each {
		out = append(out, cores[(first+i)%len(cores)])
	}
	slices.Sort(out)
	return out
}

// allCores is what a process may use where nothing says otherwise.
func allCores() []int {
	cores := make([]int, runtime.NumCPU())
	for i := range cores {
		cores[i] = i
	}
	return cores
}
