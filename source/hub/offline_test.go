package hub_test

import (
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// shard is a safetensors file without a tensor.
const shard = "\x02\x00\x00\x00\x00\x00\x00\x00{}"

// loadable has a model with an index, and what no engine needs.
func loadable(t *testing.T) (h *hubtest.Hub, sha string) {
	t.Helper()
	h = hubtest.New(t)
	for path, data := range map[string]string{
		".gitattributes": "*.safetensors filter=lfs", "README.md": "# tiny", "config.json": "{}", "tokenizer.json": "{}", "notes/a.txt": "a",
		"x-00001-of-00001.safetensors": shard, "stray.safetensors": shard,
		"model.safetensors.index.json": `{"weight_map":{"w":"x-00001-of-00001.safetensors"}}`,
	} {
		sha = h.Put(id, path, []byte(data))
	}
	return h, sha
}

// loads acquires what src is and has it checked.
func loads(t *testing.T, src source.Source) *download.Lease {
	t.Helper()
	lease := acquire(t, src)
	require.NoError(t, source.CheckModel(t.Context(), src, lease.Manifest, nil))
	return lease
}

func offline(h *hubtest.Hub) lifecycle.EnvVars { return with(h.Env(), "HF_HUB_OFFLINE", "1") }

// Offline, what an engine can do without may be missing, and what it cannot is named.
func TestOfflineWithAChoice(t *testing.T) {
	t.Parallel()
	h, sha := loadable(t)
	whole := loads(t, open(t, "hf://acme/tiny", h.Env()))
	for _, name := range []string{".gitattributes", "README.md", "notes/a.txt"} {
		require.NoError(t, os.Remove(filepath.Join(whole.Dir, name)))
	}
	lease := loads(t, open(t, "hf://acme/tiny", offline(h)))
	require.Equal(t, sha, lease.Manifest.Revision)
	require.Equal(t, []string{"config.json", "model.safetensors.index.json", "tokenizer.json", "x-00001-of-00001.safetensors"}, pathsOf(lease.Manifest))
	for _, name := range []string{"x-00001-of-00001.safetensors", "config.json", "model.safetensors.index.json"} {
		require.NoError(t, os.Remove(filepath.Join(lease.Dir, name)))
		_, err := open(t, "hf://acme/tiny", offline(h)).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.MissingFile)
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, "unset HF_HUB_OFFLINE")
	}
}

// The same with what hf download brings when it is told to leave files out.
func TestOfflineAfterPythonsChoice(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h, _ := loadable(t)
	out, err := python(t, h, nil, "hf", "download", id, "--include", "*.safetensors", "--include", "*.json")
	require.NoError(t, err, out)
	loads(t, open(t, "hf://acme/tiny", offline(h)))
}

// names lists what is below dir, with what may have changed of it.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		all = append(all, name+info.Mode().String()+info.ModTime().String())
		return nil
	}))
	return all
}

// Offline, a snapshot that was copied without its links is leased where it is, untouched.
func TestOfflineCopy(t *testing.T) {
	t.Parallel()
	h, sha := loadable(t)
	was := loads(t, open(t, "hf://acme/tiny", h.Env()))
	cache := t.TempDir()
	dir := filepath.Join(cache, "models--acme--tiny")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "refs"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "refs", "main"), []byte(sha), 0o600))
	for _, f := range was.Manifest.Files {
		data, err := os.ReadFile(filepath.Join(was.Dir, f.Path))
		require.NoError(t, err)
		name := filepath.Join(dir, "snapshots", sha, f.Path)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, data, 0o600))
	}
	before := names(t, cache)
	for _, uri := range []string{"hf://acme/tiny", "hf://acme/tiny@" + sha} {
		src := open(t, uri, with(offline(h), "HF_HUB_CACHE", cache))
		lease := loads(t, src)
		require.Equal(t, filepath.Join(dir, "snapshots", sha), lease.Dir)
		require.Equal(t, sha, lease.Manifest.Revision)
		require.Equal(t, "hf://acme/tiny", lease.Manifest.URI)
		require.Equal(t, pathsOf(was.Manifest), pathsOf(lease.Manifest), "the stray shard is left out here too")
		f, ok := lease.Manifest.File("x-00001-of-00001.safetensors")
		require.True(t, ok)
		require.Equal(t, shard[3:], mustRead(t, src, f, 3, -1))
	}
	require.Equal(t, before, names(t, cache))
}

// A ref that a power cut left empty or garbled is none, and a listing neither: the snapshot tells.
func TestOfflineGarbled(t *testing.T) {
	t.Parallel()
	h, sha := stockedModel(t)
	was := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	env := with(h.Env(), "HF_HUB_OFFLINE", "1")
	for _, garbled := range []string{"", "\x00\x00", sha[:39], sha[:39] + "\x00", `{"format_ve`} {
		for _, name := range []string{"trees/" + sha + ".json", ".spinup/" + sha + ".json", "refs/main"} {
			path := filepath.Join(modelDir(h), name)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(garbled), 0o600))
		}
		lease := acquire(t, open(t, "hf://acme/tiny@"+sha, env))
		require.Equal(t, pathsOf(was.Manifest), pathsOf(lease.Manifest))
		requireModel(t, lease.Dir)
		_, err := open(t, "hf://acme/tiny", env).Resolve(t.Context())
		require.ErrorIs(t, err, lifecycle.NotFound)
	}
}

// The same with what from_pretrained leaves behind without links.
func TestOfflineAfterPythonWithoutLinks(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h, _ := loadable(t)
	script := "[hf_hub_download('" + id + "', n) for n in '" + strings.Join([]string{
		"config.json", "tokenizer.json", "model.safetensors.index.json", "x-00001-of-00001.safetensors",
	}, " ") + "'.split()]"
	mustPython(t, h, script, "HF_HUB_DISABLE_SYMLINKS=1")
	before := names(t, modelDir(h))
	require.Len(t, loads(t, open(t, "hf://acme/tiny", offline(h))).Manifest.Files, 4)
	require.Equal(t, before, names(t, modelDir(h)))
}

// Without HOME, as in a service of systemd, the home is the one that the system knows.
func TestNoHome(t *testing.T) {
	t.Parallel()
	u, err := user.Current()
	require.NoError(t, err)
	nothing := func(string) string { return "" }
	require.Equal(t, filepath.Join(u.HomeDir, ".cache/huggingface/hub"), hub.CacheDir(nothing))
	tilde := lifecycle.EnvVars{"HF_HUB_CACHE": "~/x"}
	require.Equal(t, filepath.Join(u.HomeDir, "x"), hub.CacheDir(func(key string) string { return tilde[key] }))

	saved := filepath.Join(u.HomeDir, ".cache/huggingface/token")
	if _, err = os.Stat(saved); err == nil {
		t.Skip("what is saved there is not for this test")
	}
	h := stocked(t)
	env := lifecycle.EnvVars{"HF_ENDPOINT": h.URL, "HF_HUB_CACHE": t.TempDir(), "HOME": ""}
	_, err = read(t, open(t, "hf://acme/gated", env), source.File{Path: weights, Size: 1}, 0, -1)
	require.ErrorContains(t, err, saved+" (absent)")
}
