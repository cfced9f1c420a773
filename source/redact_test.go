package source_test

import (
	"testing"

	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

// What stands before the @ of an Azure URI is a container, unless it can be none.
func TestRedactContainer(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"abfss://models@account.dfs.core.windows.net/llama": "abfss://models@account.dfs.core.windows.net/llama",
		"azure://$web@account.blob.core.windows.net/x?sig=": "azure://$web@account.blob.core.windows.net/x?[redacted]",
		"abfss://KEY+==@account.dfs.core.windows.net/x":     "abfss://[redacted]@account.dfs.core.windows.net/x",
		"abfss://models:key@account.dfs.core.windows.net/x": "abfss://[redacted]@account.dfs.core.windows.net/x",
		"s3://models@bucket/x":                              "s3://[redacted]@bucket/x",
	} {
		require.Equal(t, want, source.Redact(uri))
	}
}
