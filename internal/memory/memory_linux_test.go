package memory_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/memory"
	"github.com/stretchr/testify/require"
)

func TestGroupLimit(t *testing.T) {
	t.Parallel()
	const v1, v2 = "4:cpu,memory:", "0::"
	for name, c := range map[string]struct {
		groups string
		files  map[string]string // below sys/fs/cgroup
		want   int64
	}{
		"no groups":              {"", nil, 1000},
		"a container of its own": {v2 + "/\n", map[string]string{"memory.max": "300\n"}, 300},
		"and one of version 1":   {v1 + "/\n", map[string]string{"memory/memory.limit_in_bytes": "300\n"}, 300},
		"MemoryMax of systemd":   {v2 + "/system.slice/spinup.service\n", map[string]string{"system.slice/spinup.service/memory.max": "200\n"}, 200},
		"a slice above":          {v2 + "/a.slice/b.service\n", map[string]string{"a.slice/b.service/memory.max": "max\n", "a.slice/memory.max": "400\n"}, 400},
		"the smallest counts":    {v2 + "/a/b\n", map[string]string{"a/b/memory.max": "500\n", "a/memory.max": "300\n", "memory.max": "400\n"}, 300},
		"a job of Slurm": {"5:cpuset:/other\n" + v1 + "/slurm/uid_1/job_7\n" + v2 + "/\n", map[string]string{
			"memory/slurm/uid_1/job_7/memory.limit_in_bytes": "600\n", "memory/slurm/memory.limit_in_bytes": "9223372036854771712\n",
			"memory/other/memory.limit_in_bytes": "100\n",
		}, 600},
		"a container that is told its host's name": {v1 + "/docker/7ec8\n", map[string]string{"memory/memory.limit_in_bytes": "300\n"}, 300},
		"above the root of its own groups":         {v2 + "/../../x\n", map[string]string{"memory.max": "300\n"}, 300},
		"a colon":                                  {v2 + "/a:b\n", map[string]string{"a:b/memory.max": "300\n"}, 300},
		"more than there is":                       {v2 + "/a\n", map[string]string{"a/memory.max": "2000\n"}, 1000},
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "proc/self/cgroup"), c.groups)
		for file, text := range c.files {
			write(t, filepath.Join(root, "sys/fs/cgroup", file), text)
		}
		require.Equal(t, c.want, memory.GroupLimit(root, 1000), name)
	}
	require.EqualValues(t, 1000, memory.GroupLimit(t.TempDir(), 1000), "another system")
	require.Positive(t, memory.Limit())
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}
