package download_test

import (
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
