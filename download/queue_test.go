package download_test

import (
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// A second range of a file that is hashed in order is read back later: that is worth it while the
// link is what is waited for, and not while the cores are.
func TestOneRangeOfAFileWhileTheCoresAreBusy(t *testing.T) {
	t.Parallel()
	cores := runtime.GOMAXPROCS(0)
	for name, tt := range map[string]struct {
		files, handed int
		algorithm     string
		crowded       bool
	}{
		"the link is waited for":        {cores, 2*cores + 1, "sha256", false},
		"the cores are":                 {cores, cores + 1, "sha256", true},
		"the cores are, of fewer files": {cores - 1, 2*cores - 1, "sha256", true},
		"bytes in any order":            {cores, 2*cores + 1, "crc64nvme", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var files []source.File
			for i := range 2 * tt.files {
				files = append(files, source.File{
					Path: strconv.Itoa(i / 2), Size: mib, Digest: source.Digest{Algorithm: tt.algorithm},
				})
			}
			files = append(files, source.File{Path: "small", Size: 1})
			paths := download.HandOut(files, 4*cores, tt.crowded)
			require.Len(t, paths, tt.handed)
			require.Contains(t, paths, "small")
		})
	}
}

// More ranges bring nothing where it is not the link that is waited for.
func TestNoMoreRangesWhileTheCoresAreBusy(t *testing.T) {
	t.Parallel()
	require.Equal(t, 64, download.Allowed(20, 0.2))
	require.Equal(t, 8, download.Allowed(20, 0.8))
}

// What a queue knows of the files of its parts, by which it chooses while the cores are busy, stays
// right whatever becomes of the parts.
func TestAQueueCountsThePartsOfEachFile(t *testing.T) {
	t.Parallel()
	var files []source.File
	for i := range 8 {
		files = append(files, source.File{
			Path: strconv.Itoa(i / 2), Size: 64 * mib, Digest: source.Digest{Algorithm: []string{"sha256", "crc32c"}[i%4/2]},
		})
	}
	for seed := range uint64(20) {
		require.Equal(t, -1, download.Miscounts(files, 300, rand.New(rand.NewPCG(seed, 0)).IntN), seed)
	}
}
