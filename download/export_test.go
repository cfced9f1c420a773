package download

import (
	"maps"
	"runtime"
	"slices"
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
	q := queueOf(files, allowed)
	q.learn(outlook{worth: minWorth, crowded: crowded})
	for p := q.choose(); p != nil; p = q.choose() {
		q.busy[p] = false
		paths = append(paths, p.asm.file.Path)
	}
	return paths
}

func queueOf(files []source.File, allowed int) *queue {
	assemblies := map[string]*assembly{}
	var parts []*part
	for _, f := range files {
		if assemblies[f.Path] == nil {
			assemblies[f.Path] = newAssembly(nil, finding{file: f})
		}
		parts = append(parts, assemblies[f.Path].expect([]Range{{File: f, Len: f.Size}})...)
	}
	return newQueue(parts, allowed)
}

// Miscounts has a queue of files hand out parts and take them back, split, hurried and increased, as
// chance wants it, and returns the first of steps after which it says of a file that it has more or
// fewer parts than it has; or -1.
func Miscounts(files []source.File, steps int, chance func(n int) int) int {
	q, busy := queueOf(files, len(files)/2), []*part(nil)
	for step := range steps {
		q.learn(outlook{worth: minWorth, slack: chance(2) == 0, crowded: chance(2) == 0})
		if p := q.choose(); p != nil {
			q.busy[p] = false
			p.speed.Store(mib)
			busy = append(busy, p)
		}
		i := chance(len(files))
		if i < len(busy) && chance(3) == 0 {
			p, from := busy[i], chance(int(busy[i].asm.file.Size))
			q.hurry(p.asm, int64(from), int64(from+chance(16*mib)))
		} else if i < len(busy) {
			p := busy[i]
			busy = slices.Delete(busy, i, i+1)
			switch chance(20) { // rarely, so that the queue comes to its end
			case 0:
				q.done(p, p.asm.expect(finding{file: p.asm.file}.ranges(32*mib)))
			case 1, 2, 3:
				q.done(p, []*part{p})
			default:
				q.done(p, nil)
			}
		}
		counted := map[*assembly]int{}
		for _, p := range q.parts {
			counted[p.asm]++
		}
		if !maps.Equal(counted, q.queued) {
			return step
		}
	}
	return -1
}
