package sourcetest

import (
	"testing"

	"github.com/spinup-llm/spinup/source"
)

// A Harness tells the suite what it works on.
type Harness struct {
	// New returns an empty repository, another one at each call. Subtests run in parallel.
	New func(t testing.TB) Repo
	// Many is how many files make more than one page of a listing; 0 leaves that test out.
	Many int
	// Hostile says that the service can hold names like "../x", so that Resolve has to
	// refuse them.
	Hostile bool
	// Digests says that each file has a digest.
	Digests bool
	// Creates says that the source is a source.Creator.
	Creates bool
	_       struct{}
}

// A Repo is a repository in the hands of its owner. All methods fail the test on errors.
type Repo interface {
	// Put stores a file, over an older one if need be.
	Put(t testing.TB, path string, data []byte)
	// Delete removes a file.
	Delete(t testing.TB, path string)
	// PutBeside stores a file in the repository whose name is this one's with a suffix:
	// "llama-13b" beside "llama".
	PutBeside(t testing.TB, suffix, path string, data []byte)
	// Source opens the repository, whether or not it holds a file yet.
	Source(t testing.TB) source.Source
}

// Run runs the suite. What does not apply to the harness is left out, not skipped.
func Run(t *testing.T, h Harness) { //nolint:thelper // it is a list of tests
	tests := map[string]func(*testing.T, Harness){
		"List":         testList,
		"Names":        testNames,
		"Folder":       testFolder,
		"Nothing":      testNothing,
		"Revision":     testRevision,
		"Ranges":       testRanges,
		"Outside":      testOutside,
		"Concurrent":   testConcurrent,
		"Changed":      testChanged,
		"Gone":         testGone,
		"Canceled":     testCanceled,
		"CanceledBody": testCanceledBody,
		"Digests":      testDigests,
		"Model":        testModel,
		"Optional":     testOptional,
	}
	if h.Many > 0 {
		tests["Pages"] = testPages
	}
	if h.Creates {
		tests["Create"] = testCreate
	}
	if h.Hostile {
		tests["Hostile"] = testHostile
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, h)
		})
	}
}
