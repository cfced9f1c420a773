//go:build linux

package servers_test

import (
	"encoding/xml"
	"testing"

	"github.com/spinup-llm/spinup/internal/bench/download/dataset"
	"github.com/spinup-llm/spinup/internal/bench/download/servers"
	"github.com/stretchr/testify/require"
)

func TestListIsAnAnswerOfS3(t *testing.T) {
	t.Parallel()
	set := dataset.Model(1.0 / 2048)
	require.NoError(t, dataset.Make(t.Context(), t.TempDir(), set))
	var answer struct {
		KeyCount int
		Contents []struct {
			Key, ETag, ChecksumAlgorithm string
			Size                         int64
		}
	}
	require.NoError(t, xml.Unmarshal(servers.List(set), &answer))
	require.Equal(t, len(set.Files), answer.KeyCount)
	require.Len(t, answer.Contents, len(set.Files))
	for i, f := range set.Files {
		require.Equal(t, "model/"+f.Path, answer.Contents[i].Key)
		require.Equal(t, f.Size, answer.Contents[i].Size)
		require.Regexp(t, `^"[0-9a-f]+-[0-9a-f]+"$`, answer.Contents[i].ETag)
	}
}
