package strictyaml_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/big"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/spinup-llm/spinup/internal/strictyaml"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/stretchr/testify/require"
)

type goldenRow struct {
	YAML  string
	Value json.RawMessage
	Error string
}

// decodeAny decodes a document into an any.
func decodeAny(data []byte) (any, error) {
	var r strictyaml.Report
	var v any
	(&strictyaml.Decoder{Report: &r}).Decode(strictyaml.Parse("f.yaml", data, &r), &v)
	return v, r.Err("test")
}

// The table was made by PyYAML: what it reads, we read the same; what it refuses, we refuse.
func TestGolden(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	var rows []goldenRow
	require.NoError(t, json.Unmarshal(data, &rows))
	require.Greater(t, len(rows), 2000)
	for _, row := range rows {
		got, err := decodeAny([]byte(row.YAML))
		if row.Error != "" {
			require.Error(t, err, "%q is %s in PyYAML, here %#v", row.YAML, row.Error, got)
			continue
		}
		want := golden(t, row.Value)
		if why := different[row.YAML]; why != "" {
			require.NotEqual(t, want, normal(got), why)
			continue
		}
		require.NoError(t, err, "%q", row.YAML)
		require.Equal(t, want, normal(got), "%q", row.YAML)
	}
}

// different are the documents that we read differently, and why.
var different = map[string]string{
	"k: ! \"12\"\n":     "PyYAML ignores the quotes after a lone !; the parser here does not tell",
	"&k a: 1\n*k : 2\n": "a key given twice is an error here; in PyYAML the last one wins",
}

// golden turns a row's value into what decodeAny should give.
func golden(t *testing.T, raw json.RawMessage) any {
	t.Helper()
	var parts []json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &parts))
	var kind string
	require.NoError(t, json.Unmarshal(parts[0], &kind))
	var text string
	switch kind {
	case "null":
		return nil
	case "bool":
		return string(parts[1]) == "true"
	case "list":
		var items []json.RawMessage
		require.NoError(t, json.Unmarshal(parts[1], &items))
		list := make([]any, len(items))
		for i, item := range items {
			list[i] = golden(t, item)
		}
		return list
	case "map":
		var items map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(parts[1], &items))
		m := map[string]any{}
		for k, item := range items {
			m[k] = golden(t, item)
		}
		return m
	}
	require.NoError(t, json.Unmarshal(parts[1], &text))
	switch kind {
	case "int":
		n, ok := new(big.Int).SetString(text, 10)
		require.True(t, ok)
		return normal(n)
	case "float":
		f, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		return normal(f)
	default:
		return text
	}
}

// normal makes values comparable: numbers become text with their type.
func normal(v any) any {
	switch v := v.(type) {
	case int:
		return "int " + strconv.Itoa(v)
	case *big.Int:
		return "int " + v.String()
	case float64:
		return "float " + strconv.FormatUint(math.Float64bits(v), 16)
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = normal(v[k])
		}
	}
	return v
}

// The committed table is what the script and PyYAML give today.
func TestGoldenIsFresh(t *testing.T) {
	t.Parallel()
	python := testenv.Python(t)
	fresh, err := exec.CommandContext(t.Context(), python, "testdata/scalars.py").Output()
	require.NoError(t, err)
	committed, err := os.ReadFile("testdata/golden.json")
	require.NoError(t, err)
	require.True(t, bytes.Equal(committed, fresh), "run testdata/scalars.py > testdata/golden.json")
}
