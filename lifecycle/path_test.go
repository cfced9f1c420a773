package lifecycle_test

import (
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// What runs beside the others is on the path only where something waited for it.
func TestCriticalPathBesideALongStage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  float64
		want []lifecycle.Stage
	}{
		"the files are waited for": {end: 3, want: []lifecycle.Stage{
			lifecycle.StageCheck, lifecycle.StageResolve, lifecycle.StageDownload, lifecycle.StageEngineConfig,
		}},
		"the preload is waited for": {end: 9, want: []lifecycle.Stage{
			lifecycle.StageCheck, lifecycle.StagePreload, lifecycle.StageEngineConfig,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			last := max(c.end, 6)
			tl := start(
				span("a", "", lifecycle.StageCheck, 0, 1),
				span("b", "", lifecycle.StagePreload, 1, c.end),
				span("c", "", lifecycle.StageResolve, 2, 4),
				span("d", "", lifecycle.StageDownload, 4, 6),
				span("e", "", lifecycle.StageEngineConfig, last, last+1),
				span("r", "", lifecycle.StageReady, last+1, last+1),
			)
			var path []lifecycle.Stage
			for s := range tl.CriticalPath("m#1") {
				path = append(path, s.Stage)
			}
			require.Equal(t, c.want, path)
		})
	}
}
