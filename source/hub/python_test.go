package hub_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// python runs a program of the venv, python itself where name is "", with the settings of h,
// and returns its output.
func python(t *testing.T, h *hubtest.Hub, env []string, name string, args ...string) (string, error) {
	t.Helper()
	bin := testenv.Python(t)
	if name != "" {
		bin = filepath.Join(filepath.Dir(bin), name)
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Env = append(os.Environ(), "HF_HUB_DISABLE_XET=1", "HF_HUB_DISABLE_TELEMETRY=1", "HF_HUB_DISABLE_PROGRESS_BARS=1", "HF_HUB_DISABLE_UPDATE_CHECK=1")
	cmd.Env = append(append(cmd.Env, h.Env().Environ()...), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// mustPython runs a script that imports what is used here.
func mustPython(t *testing.T, h *hubtest.Hub, script string, env ...string) string {
	t.Helper()
	out, err := python(t, h, env, "", "-c", "from huggingface_hub import *\nfrom huggingface_hub import _CACHED_NO_EXIST\n"+script)
	require.NoError(t, err, out)
	return out
}

// snapshotDownload is what Python's function of that name returns for the model.
func snapshotDownload(t *testing.T, h *hubtest.Hub, args string, env ...string) string {
	t.Helper()
	return mustPython(t, h, `print(snapshot_download("acme/tiny"`+args+`))`, env...)
}

// fetched is how many requests for the bytes of files there were.
func fetched(h *hubtest.Hub) int { return count(h, true, "") + count(h, false, "/resolve-cache/") }

// Ours serve them: offline, by their own check, and without a byte fetched again.
func TestPythonTakesOurs(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	for _, noLinks := range []string{"", "1"} {
		h, sha := stockedModel(t)
		setting := "HF_HUB_DISABLE_SYMLINKS=" + noLinks
		lease := acquire(t, open(t, "hf://acme/tiny", with(h.Env(), "HF_HUB_DISABLE_SYMLINKS", noLinks)))
		before, bytes := count(h, false, id), fetched(h)
		require.Equal(t, lease.Dir, snapshotDownload(t, h, ", local_files_only=True", setting))
		require.Equal(t, lease.Dir, snapshotDownload(t, h, "", setting, "HF_HUB_OFFLINE=1"))
		require.Equal(t, lease.Dir, snapshotDownload(t, h, `, revision="`+sha+`"`, setting))
		require.Equal(t, before, count(h, false, id))
		require.Equal(t, lease.Dir, snapshotDownload(t, h, "", setting))
		require.Equal(t, before+1, count(h, false, id), "the revision: our listing serves")
		require.Equal(t, bytes, fetched(h))
		out, err := python(t, h, []string{setting}, "hf", "cache", "verify", "acme/tiny", "--fail-on-missing-files", "--fail-on-extra-files")
		require.NoError(t, err, out)
		require.Equal(t, "[] 1 0", mustPython(t, h, `i = scan_cache_dir(); print(i.warnings, len(i.repos), len(i.incomplete_files))`))
		require.Equal(t, "True False", mustPython(t, h, `f = lambda n: try_to_load_from_cache("acme/tiny", n) is _CACHED_NO_EXIST
print(f("chat_template.jinja"), f("tokenizer.json"))`))
	}
}

// Theirs serve us: no blob is asked for, offline too, and their listing saves that of the hub.
func TestWeTakePythons(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	for _, noLinks := range []string{"", "1"} {
		h, sha := stockedModel(t)
		dir := snapshotDownload(t, h, "", "HF_HUB_DISABLE_SYMLINKS="+noLinks)
		before, bytes := count(h, false, id), fetched(h)
		for _, env := range [][]string{{}, {"HF_HUB_OFFLINE", "1"}, {"HF_HUB_DISABLE_SYMLINKS", noLinks}} {
			for _, uri := range []string{"hf://acme/tiny", "hf://acme/tiny@" + sha} {
				lease := acquire(t, open(t, uri, with(h.Env(), env...)))
				require.Equal(t, dir, lease.Dir)
				requireModel(t, lease.Dir)
			}
		}
		require.Equal(t, bytes, fetched(h))
		require.Equal(t, before+2, count(h, false, id), "the revision, twice")
	}
}

// Both keep the same listing.
func TestListingAsPython(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	ours, sha := stockedModel(t)
	theirs, _ := stockedModel(t)
	acquire(t, open(t, "hf://acme/tiny", ours.Env()))
	snapshotDownload(t, theirs, "")
	read := func(h *hubtest.Hub, path ...string) string {
		data, err := os.ReadFile(filepath.Join(append([]string{modelDir(h)}, path...)...))
		require.NoError(t, err)
		return string(data)
	}
	require.JSONEq(t, read(theirs, "trees", sha+".json"), read(ours, "trees", sha+".json"))
	require.Equal(t, read(theirs, "refs", "main"), read(ours, "refs", "main"))
	sign, _, _ := strings.Cut(read(theirs, "..", "CACHEDIR.TAG"), "\n")
	require.Contains(t, read(ours, "..", "CACHEDIR.TAG"), sign+"\n")
	require.Equal(t, paths(t, modelDir(theirs)), paths(t, modelDir(ours)))
}

// paths lists what the tools of the hub know below a model's folder, and where links lead.
func paths(t *testing.T, dir string) (all []string) {
	t.Helper()
	for _, part := range []string{"blobs", "refs", "snapshots", "trees"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(dir, part), func(name string, d os.DirEntry, err error) error {
			if d.Name() == ".spinup" {
				return filepath.SkipDir
			}
			target, _ := os.Readlink(name)
			all = append(all, strings.TrimPrefix(name, dir)+" -> "+target)
			return err
		}))
	}
	return all
}

// A choice of files is no incomplete snapshot to them, as it would be with a listing of all.
func TestPythonTakesOurChoice(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h, _ := stockedModel(t)
	h.Put(id, "original/consolidated.pth", []byte(text(1000)))
	sha := h.Put(id, "picture.png", []byte("x"))
	lease := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	require.NoFileExists(t, filepath.Join(lease.Dir, "picture.png"))
	require.Equal(t, lease.Dir, snapshotDownload(t, h, ", local_files_only=True"))
	out, err := python(t, h, nil, "hf", "cache", "verify", "acme/tiny")
	require.NoError(t, err, out)

	before := count(h, false, id)
	requireModel(t, acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env())).Dir)
	requireModel(t, acquire(t, open(t, "hf://acme/tiny", with(h.Env(), "HF_HUB_OFFLINE", "1"))).Dir)
	require.Equal(t, before, count(h, false, id))

	snapshotDownload(t, h, `, allow_patterns="*.json"`)
	require.FileExists(t, filepath.Join(modelDir(h), "trees", sha+".json"))
	require.Equal(t, "IncompleteSnapshotError", mustPython(t, h, `
try:
    snapshot_download("acme/tiny", local_files_only=True)
except Exception as e:
    print(type(e).__name__)`), "this is how their own choices end")
	require.Equal(t, lease.Dir, snapshotDownload(t, h, ""), "they bring what is missing")
	before = count(h, false, id)
	requireModel(t, acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env())).Dir)
	require.Equal(t, before, count(h, false, id))
}

// One of ours and one of theirs at the same time fetch each large file once, whoever is first.
func TestCacheBesidePython(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	for _, oursFirst := range []bool{true, false} {
		h, _ := stockedModel(t)
		// whoever comes first is so slow that the other one meets it
		h.Break(hubtest.Fault{CDN: true, Times: 1, Do: func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			<-time.After(6 * time.Second)
			next.ServeHTTP(w, r)
		}})
		var g errgroup.Group
		var ours, theirs string
		runs := []func(){
			func() { theirs = snapshotDownload(t, h, "") },
			func() { ours = acquire(t, open(t, "hf://acme/tiny", h.Env())).Dir },
		}
		if oursFirst {
			runs[0], runs[1] = runs[1], runs[0]
		}
		g.Go(func() error { runs[0](); return nil })
		for count(h, true, "") == 0 {
			<-time.After(10 * time.Millisecond)
		}
		runs[1]()
		require.NoError(t, g.Wait())
		require.Equal(t, ours, theirs)
		requireModel(t, ours)
		require.Equal(t, 1, count(h, true, ""))
	}
}

// What is pruned leaves them a cache without a flaw.
func TestPruneAndPython(t *testing.T) {
	t.Parallel()
	testenv.Real(t, "Python packages")
	h, _ := stockedModel(t)
	snapshotDownload(t, h, "")
	h.Branch(id, "old")
	require.NoError(t, acquire(t, open(t, "hf://acme/tiny@old", h.Env())).Close())
	h.Put(id, "config.json", []byte("[]"))
	next := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	require.NoError(t, download.PruneHub(t.Context(), filepath.Dir(modelDir(h)), 1, 0))
	require.Equal(t, next.Dir, snapshotDownload(t, h, ", local_files_only=True"))
	scan := `i = scan_cache_dir(); print(i.warnings, [len(r.revisions) for r in i.repos])`
	require.Equal(t, "[] [1]", mustPython(t, h, scan))
	out, err := python(t, h, nil, "hf", "cache", "verify", "acme/tiny")
	require.NoError(t, err, out)
	require.NoError(t, next.Close())
	require.NoError(t, download.PruneHub(t.Context(), filepath.Dir(modelDir(h)), 1, 0))
	require.Equal(t, "[] []", mustPython(t, h, scan))
	require.NoDirExists(t, modelDir(h))
}
