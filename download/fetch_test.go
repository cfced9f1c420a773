package download_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

const mib = 1 << 20

func model() map[string][]byte {
	files := map[string][]byte{
		"config.json":                 []byte(`{"architectures": ["LlamaForCausalLM"]}`),
		"tokenizer/tokenizer.json":    random(1, 100_000),
		"empty":                       {},
		"model-00001.safetensors":     random(2, 9*mib+17),
		"model-00002.safetensors":     random(3, 5*mib),
		"deep/down/here/vocab.txt":    random(4, 1),
		"original/consolidated.00.pt": random(5, 3*mib+1),
	}
	return files
}

func TestFetch(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"", "sha256", "git-sha1", "md5", "crc32", "crc32c", "crc64nvme"} {
		t.Run("digest "+algorithm, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir() + "/new/folder"
			src := newMemory(model(), algorithm)
			m := &download.Manager{PartSize: mib}
			man, err := m.Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			require.Len(t, man.Files, len(src.files))
			requireFiles(t, dir, src.data)
			require.NoError(t, download.Verify(t.Context(), man, dir))
			require.Equal(t, man.Size(), src.served, "each byte is fetched once")

			before := src.opens()
			_, err = m.Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			require.Equal(t, before, src.opens(), "a complete directory needs no request")
		})
	}
}

// A directory that holds all of a model, as an image of a container has it, is read, not written.
func TestFetchIntoAReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	for name, left := range map[string][]string{
		"without our notes": nil, "with an empty folder": {".spinup/"}, "with a lock": {".spinup/", ".spinup/lock"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, src := t.TempDir(), weights("sha256")
			for path, data := range src.data {
				require.NoError(t, os.WriteFile(filepath.Join(dir, path), data, 0o600))
			}
			for _, path := range left {
				if path == ".spinup/" {
					require.NoError(t, os.Mkdir(filepath.Join(dir, path), 0o755))
				} else {
					require.NoError(t, os.WriteFile(filepath.Join(dir, path), nil, 0o600))
				}
			}
			testenv.ReadOnly(t, dir)
			_, err := new(download.Manager).Fetch(t.Context(), src, dir)
			require.NoError(t, err)
			require.Zero(t, src.opens())
			src.data["more"], src.files = nil, append(src.files, newMemory(map[string][]byte{"more": {}}, "sha256").files...)
			_, err = new(download.Manager).Fetch(t.Context(), src, dir)
			require.ErrorIs(t, err, lifecycle.AccessDenied, "one file is missing")
		})
	}
}
