package pysource_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spinup-llm/spinup/internal/pysource"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o755))
}

func TestPackage(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	venv, elsewhere := filepath.Join(root, "venv"), filepath.Join(root, "src")
	write(t, filepath.Join(venv, "lib/python3.12/site-packages/snake/args.py"), "")
	write(t, filepath.Join(venv, "bin/snake"), "#!"+venv+"/bin/python3\n")
	want := filepath.Join(venv, "lib/python3.12/site-packages/snake")
	require.Equal(t, want, pysource.Package(filepath.Join(venv, "bin/snake"), "snake", "args.py"))
	require.Empty(t, pysource.Package(filepath.Join(venv, "bin/snake"), "snake", "other.py"))

	write(t, filepath.Join(root, "anywhere/snake"), "#!/bin/sh\n'''exec' "+venv+"/bin/python3.12 \"$0\" \"$@\"\n")
	require.Equal(t, venv+"/bin/python3.12", pysource.Interpreter(filepath.Join(root, "anywhere/snake")))
	require.Equal(t, want, pysource.Package(filepath.Join(root, "anywhere/snake"), "snake", "args.py"))
	require.NoError(t, os.Symlink(filepath.Join(venv, "bin/snake"), filepath.Join(root, "link")))
	require.Equal(t, want, pysource.Package(filepath.Join(root, "link"), "snake", "args.py"))

	write(t, filepath.Join(elsewhere, "viper/args.py"), "")
	write(t, filepath.Join(venv, "lib/python3.12/site-packages/__editable__.viper.pth"), elsewhere+"\n")
	require.Equal(t, filepath.Join(elsewhere, "viper"), pysource.Package(filepath.Join(venv, "bin/snake"), "viper", "args.py"))
}

func TestBalanced(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		`a, (b), [c])d`: `a, (b), [c]`, `")", '(')`: `")", '('`, `"\")")`: `"\")"`, `a`: ``, `int]`: `int`,
	} {
		require.Equal(t, want, pysource.Balanced(src), src)
	}
	require.Equal(t, "ac", pysource.WithoutDocs(`a"""b"""c`))
}
