package strictyaml_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// Whatever the bytes are: no panic, every error has a position, and what decodes into an
// any decodes again, to the same, after a trip through Go.
func FuzzDecode(f *testing.F) {
	data, err := os.ReadFile("testdata/golden.json")
	require.NoError(f, err)
	var rows []goldenRow
	require.NoError(f, json.Unmarshal(data, &rows))
	for i, row := range rows {
		if i%20 == 0 || row.YAML[0] != 'k' {
			f.Add([]byte(row.YAML))
		}
	}
	for _, seed := range []string{"\ufeffa: 1", "\xff\xfea\x00", "a: &a [*a]", "{[a]: b}", "a:\n\t- b", "name: x\nnest: {depth: 1}\nsources: [a, {uri: b}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r strictyaml.Report
		d := strictyaml.Decoder{Report: &r}
		root := strictyaml.Parse("f.yaml", data, &r)
		var c config
		d.Decode(root, &c)
		for e := range lifecycle.Errors(r.Err("op")) {
			require.Equal(t, lifecycle.Invalid, e.Kind)
			require.Regexp(t, `^f\.yaml:[1-9][0-9]*:[1-9][0-9]*`, e.Target)
			require.NotEmpty(t, e.Err.Error())
		}
		for _, w := range r.Warnings(nil) {
			require.Regexp(t, `^f\.yaml:[1-9][0-9]*:[1-9][0-9]*`, w)
		}

		v, err := decodeAny(data)
		if err != nil {
			return
		}
		var again any
		(&strictyaml.Decoder{Report: &r}).Decode(strictyaml.FromGo(v, "", new(strictyaml.Report)), &again)
		require.Equal(t, normal(v), normal(again))
	})
}
