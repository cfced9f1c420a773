package enginetest

import (
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
	"github.com/stretchr/testify/require"
)

// files holds a driver that chooses files to its promises.
func (c Config) files(t *testing.T) {
	t.Parallel()
	driver, ok := c.Engine.(engine.FileChooser)
	if !ok {
		return
	}
	src, err := local.New(c.Spec.Dir)
	require.NoError(t, err)
	all, err := src.Resolve(t.Context())
	require.NoError(t, err)
	spec := c.Spec
	spec.Dir, spec.Weights = "", nil
	chosen, err := driver.ChooseFiles(spec, all)
	require.NoError(t, err)
	require.NotEmpty(t, chosen.Files, "the good spec's model has files")
	again, err := driver.ChooseFiles(spec, chosen)
	require.NoError(t, err)
	require.Equal(t, chosen, again, "chosen once more changes nothing")
	require.NoError(t, driver.CheckFiles(t.Context(), src, chosen))

	_, err = driver.ChooseFiles(spec, &source.Manifest{URI: all.URI, Files: []source.File{{Path: "README.md"}}})
	require.Error(t, err, "a README is no model")
	requireHelpful(t, err, "ChooseFiles")
}
