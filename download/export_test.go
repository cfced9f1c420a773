package download

import (
	"runtime"
	"time"

	"github.com/spinup-llm/spinup/source"
)

// Allowed returns how many ranges may be in flight, of 64, after rounds in which each of them brought
// the same, while workers were at bytes that had arrived for a share of the time of all cores.
func Allowed(rounds int, share float64) (allowed int) {
	r := newRamp(64)
	allowed = r.allowed
	for range rounds {
		toil := time.Duration(share * float64(runtime.GOMAXPROCS(0)*int(watchEvery)))
		allowed = r.next(float64(allowed*mib), allowed, toil)
	}
	return allowed
}

// HandOut returns the files of the parts that a queue of one part of each of files hands out at
// once, with so many allowed, when the machine is crowded or not.
func HandOut(files []source.File, allowed int, crowded bool) (paths []string) {
	assemblies := map[string]*assembly{}
	var parts []*part
	for _, f := range files {
		if assemblies[f.Path] == nil {
			assemblies[f.Path] = newAssembly(nil, finding{file: f})
		}
		parts = append(parts, assemblies[f.Path].expect([]Range{{File: f, Len: f.Size}})...)
	}
	q := newQueue(parts, allowed)
	q.learn(outlook{worth: minWorth, crowded: crowded})
	for p := q.choose(); p != nil; p = q.choose() {
		q.busy[p] = false
		paths = append(paths, p.asm.file.Path)
	}
	return paths
}
