package download

import "github.com/spinup-llm/spinup/source"

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
