package examples_test

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spinup-llm/spinup/internal/testenv"
)

// TestStoriesWithJavaScript has the official JavaScript client.
func TestStoriesWithJavaScript(t *testing.T) {
	t.Parallel()
	modules := testenv.JavaScript(t)
	testscript.Run(t, params(t, "testdata/javascript", map[string]string{
		"NODE_PATH": modules, "CHAT": filepath.Join(testenv.Root(t), "examples/testdata/chat.cjs"),
	}))
}
