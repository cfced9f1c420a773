package hub_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/hubtest"
	"github.com/stretchr/testify/require"
)

// A repository costs the revision, the pages of its tree, one request for each small file and
// one more, and for each large file one that asks where it is, beside its ranges.
func TestRequests(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.PageSize = 20
	for i := range 30 {
		h.Put(id, fmt.Sprintf("small/%02d #%%.txt", i), []byte(text(100+i)))
	}
	for i := range 3 {
		h.Put(id, fmt.Sprintf("model-%05d-of-00003.safetensors", i+1), []byte(text(2<<20+i)))
	}
	h.Put(id, "other.safetensors", []byte("the index does not name it"))
	sha := h.Put(id, "model.safetensors.index.json", []byte(`{"weight_map":{"a":"model-00001-of-00003.safetensors","b":"model-00002-of-00003.safetensors","c":"model-00003-of-00003.safetensors"}}`))
	lease := acquire(t, open(t, "hf://acme/tiny", h.Env()))
	require.Len(t, lease.Manifest.Files, 34)
	require.Equal(t, 1, count(h, false, "/revision/"))
	require.Equal(t, 2, count(h, false, "/tree/"))
	require.Equal(t, 31, count(h, false, "/resolve-cache/"), "the index, which was read before, too")
	require.Equal(t, 3+1, count(h, false, "/tiny/resolve/"))
	require.Len(t, requests(h, false, ""), 1+2+31+4)
	require.Equal(t, 3, count(h, true, ""), "one range each")

	// a commit that is complete costs nothing, for whoever wants it and however it was asked for
	before := len(h.Requests())
	again := acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env()))
	require.Equal(t, lease.Manifest, again.Manifest)
	require.Len(t, h.Requests(), before)
	acquire(t, open(t, "hf://acme/tiny", h.Env()))
	require.Len(t, h.Requests(), before+1, "a branch costs the question where it is")
}

// Listings of ours, of a part or of all, and none that is damaged, are believed.
func TestListingsKept(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	sha := h.Put(id, "picture.png", []byte("not wanted"))
	lease := acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env()))
	own := filepath.Join(modelDir(h), ".spinup", sha+".json")
	trees := filepath.Join(modelDir(h), "trees", sha+".json")
	require.FileExists(t, own)
	require.NoFileExists(t, trees, "it has files that the snapshot lacks")

	all := openWith(t, "hf://acme/tiny@"+sha, h.Env(), everything)
	before := len(requests(h, false, ""))
	require.FileExists(t, filepath.Join(acquire(t, all).Dir, "picture.png"))
	require.Len(t, requests(h, false, ""), before+2, "what is new, and nothing else")
	require.FileExists(t, trees)
	require.NoFileExists(t, own)
	marker, err := os.Stat(filepath.Join(modelDir(h), ".no_exist", sha, "chat_template.jinja"))
	require.NoError(t, err)
	require.Zero(t, marker.Size())
	require.NoFileExists(t, filepath.Join(modelDir(h), ".no_exist", sha, "tokenizer.json"))

	for _, damage := range []string{"", "{", "[]", `{"format_version":2,"files":{}}`, `{"format_version":1,"files":{"../x":{"size":1,"blob_id":"` + sha + `"}}}`} {
		require.NoError(t, os.WriteFile(trees, []byte(damage), 0o600))
		before := count(h, false, "/tree/")
		again := acquire(t, open(t, "hf://acme/tiny@"+sha, h.Env()))
		require.Equal(t, lease.Manifest, again.Manifest)
		require.Equal(t, before+1, count(h, false, "/tree/"), damage)
	}
}

// Where the hub answers otherwise, or no longer, at the addresses of small files, they are
// asked for as the others are.
func TestShortcutEnds(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]hubtest.Fault{
		"gone":      {Path: "/resolve-cache/", Skip: 2, Times: 1, Do: hubtest.Status(404, "")},
		"forbidden": {Path: "/resolve-cache/", Skip: 2, Times: 1, Do: hubtest.Status(403, "")},
		"direct": {Path: "/tiny/resolve/", Do: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			_, _ = w.Write([]byte(text(100)))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hubtest.New(t)
			for i := range 10 {
				h.Put(id, fmt.Sprint(i), []byte(text(100)))
			}
			h.Break(f)
			src := open(t, "hf://acme/tiny", h.Env())
			for _, file := range resolve(t, src).Files {
				require.Equal(t, text(100), mustRead(t, src, file, 0, -1))
			}
			require.Greater(t, count(h, false, "/tiny/resolve/"), 8)
		})
	}
}

// What the hub asks to wait is waited, whichever request it was; where it asks for nothing, a moment.
func TestPausesAreKept(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]hubtest.Fault{
		"revision": {Path: "/revision/"}, "tree": {Path: "/tree/"}, "second page": {Path: "/tree/", Skip: 1},
		"large": {Path: "/" + weights}, "small": {Path: "/resolve-cache/"}, "bytes": {CDN: true},
	} {
		for how, status := range map[string]int{"Retry-After: 1": 503, `RateLimit: "api";r=0;t=0`: 429, "503": 503, "429": 429} {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				f := f // each has its own Do
				h := hubtest.New(t)
				h.PageSize = 1
				h.Put(id, "config.json", []byte("{}"))
				h.Put(id, weights, []byte(text(1000)))
				var mu sync.Mutex
				var refused time.Time
				var header []string
				if key, value, told := strings.Cut(how, ": "); told {
					header = []string{key, value}
				}
				f.Do = func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					mu.Lock()
					defer mu.Unlock()
					if refused.IsZero() {
						refused = time.Now()
						hubtest.Status(status, "", header...)(w, r, next)
						return
					}
					if since := time.Since(refused); header != nil && since < time.Second {
						t.Errorf("asked again after %v", since)
					}
					next.ServeHTTP(w, r)
				}
				h.Break(f)
				src := open(t, "hf://acme/tiny", h.Env())
				m := &download.Manager{}
				man, err := m.Fetch(t.Context(), src, t.TempDir())
				require.NoError(t, err)
				require.Len(t, man.Files, 2)
				require.False(t, refused.IsZero())
			})
		}
	}
}

// Settings that other tools know are taken as they are there.
func TestSettingsAsPython(t *testing.T) {
	t.Parallel()
	h, _ := stockedModel(t)
	env := with(h.Env(), "HF_HUB_ENABLE_HF_TRANSFER", "1", "HF_XET_HIGH_PERFORMANCE", "1", "HF_HUB_DISABLE_XET", "1",
		"HF_HUB_ETAG_TIMEOUT", "0", "HF_HUB_DOWNLOAD_TIMEOUT", "30", "HOME", t.TempDir(), "SCRATCH", "disk")
	for setting, dir := range map[string]string{
		"~/a": env["HOME"] + "/a", "$HOME/b": env["HOME"] + "/b", "${HOME}/c": env["HOME"] + "/c", "~/$SCRATCH/d": env["HOME"] + "/disk/d",
		"~/$UNSET": env["HOME"] + "/$UNSET",
	} {
		lease := acquire(t, open(t, "hf://acme/tiny", with(env, "HF_HUB_CACHE", setting)))
		require.Equal(t, dir, filepath.Dir(filepath.Dir(filepath.Dir(lease.Dir))))
	}
	home := with(env, "HF_HUB_CACHE", "", "HF_HOME", "", "XDG_CACHE_HOME", "")
	require.Equal(t, env["HOME"]+"/.cache/huggingface/hub/models--acme--tiny/snapshots", filepath.Dir(acquire(t, open(t, "hf://acme/tiny", home)).Dir))
}
