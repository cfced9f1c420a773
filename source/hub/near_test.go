package hub_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/source/hub"
	"github.com/stretchr/testify/require"
)

// shown is what may stand in a hint: one word, which a terminal shows as it is.
var shown = regexp.MustCompile(`^[!-~]+$`)

// What is near is told of whatever the hub lists: names that can be, each of them listed.
func FuzzNear(f *testing.F) {
	f.Add([]byte(`{"branches":[{"name":"main"},{"name":"a b"}],"tags":[{"name":"v1.0"},{"name":"../x"}]}`))
	f.Add([]byte(`[{"id":"acme/tiny"},{"id":"acme/\u001b[31m"},{"id":"a/b/c"},{"id":7}]`))
	f.Add([]byte(`{"branches":null,"tags":[null,{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		names, ids := hub.ParseRefs(data), hub.ParseModels(data)
		require.False(t, len(names) > 0 && len(ids) > 0, "one is a list, the other none")
		for _, name := range append(names, ids...) {
			require.Regexp(t, shown, name)
			require.NotContains(t, name, "..")
			if !strings.Contains(string(data), `\`) { // which may spell it
				require.Contains(t, string(data), `"`+name+`"`)
			}
		}
	})
}
