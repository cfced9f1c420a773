package azure_test

import (
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/stretchr/testify/require"
)

func TestMalformed(t *testing.T) {
	t.Parallel()
	env := lifecycle.EnvVars{"AZURE_STORAGE_ACCOUNT_NAME": account}
	for uri, want := range map[string]string{
		"az://":                     "names no container",
		"az:///llama":               "names no container",
		"az://m":                    "no name of a container",
		"az://Models/llama":         "no name of a container",
		"az://my--models/llama":     "no name of a container",
		"abfss://models/llama":      "names no account",
		"abfss://models@host/llama": "no account of Azure Storage",
		"abfss://models@account.dfs.core.windows.net.evil.example/x": "no account of Azure Storage",
		"azure://models@127.0.0.1:10000/x":                           "AZURE_STORAGE_ENDPOINT",
		"az://models//llama":                                         "no plain path",
		"az://models/a/../b":                                         "no plain path",
		"az://models/a?sv=1&sig=canary":                              "AZURE_STORAGE_SAS_TOKEN",
		"az://id:canary@models/llama":                                "keys do not belong into a URI",
		"azure://CANARYcanary+==@account.blob.core.windows.net/x":    "no name of a container",
	} {
		_, err := tryOpen(t, uri, env)
		require.ErrorIs(t, err, lifecycle.Invalid, uri)
		require.ErrorContains(t, err, want, uri)
		require.NotContains(t, strings.ToLower(dump(err)), "canary")
	}
	_, err := tryOpen(t, "az://models/llama", nil)
	require.ErrorContains(t, err, "set AZURE_STORAGE_ACCOUNT_NAME")
}

// What the URI says is what is asked for, and all its forms have one canonical form.
func TestCanonical(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	for _, name := range []string{"a", "x y/a", "100%/a", "a%20b/a", "ü#/a"} {
		fake.put(t, "models", name, nil)
	}
	const models = "abfss://models@" + account + ".dfs.core.windows.net"
	for uri, want := range map[string]string{
		"az://models":  models,
		"az://models/": models,
		"azure://models@" + account + ".dfs.core.windows.net/x y":    models + "/x y",
		"azure://models@" + account + ".blob.core.windows.net/100%/": models + "/100%",
		models + "/a%20b":               models + "/a%20b",
		"azure://anonymous@models/ü#/a": models + "/ü#/a",
		"abfss://models@" + account + ".dfs.core.usgovcloudapi.net/100%": "abfss://models@" + account + ".dfs.core.usgovcloudapi.net/100%",
	} {
		src := open(t, uri, fake.Env())
		m, err := src.Resolve(t.Context())
		require.NoError(t, err, uri)
		require.Equal(t, want, m.URI)
		at, err := src.(source.Locator).Locate(m.Files[0])
		require.NoError(t, err)
		require.Equal(t, "az", at.Scheme)
		require.Equal(t, "models", at.Host)
	}
}

// A secret goes only to the account that it is for.
func TestOtherAccount(t *testing.T) {
	t.Parallel()
	const uri = "abfss://models@elsewhere.dfs.core.windows.net/llama"
	for _, env := range []lifecycle.EnvVars{
		{"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ACCOUNT_KEY": key},
		{"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=canary"},
		{"AZURE_STORAGE_CONNECTION_STRING": "AccountName=" + account + ";AccountKey=" + key},
	} {
		_, err := tryOpen(t, uri, env)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.ErrorContains(t, err, "is for the account "+account)
		require.NotContains(t, dump(err), key)
		require.NotContains(t, dump(err), "canary")
	}
}

// Whatever stands in a URI, opening it neither panics nor shows what may be a key.
func FuzzURI(f *testing.F) {
	f.Add("az", "models/llama")
	f.Add("abfss", "models@account.dfs.core.windows.net//x")
	f.Add("azure", "a:1/../?#%zz")
	f.Fuzz(func(t *testing.T, scheme, rest string) {
		if scheme != "az" && scheme != "azure" && scheme != "abfss" || strings.Contains(rest, "canary") {
			return
		}
		env := lifecycle.EnvVars{"AZURE_STORAGE_ACCOUNT_NAME": account, "AZURE_STORAGE_ANON": "true"}
		if src, err := tryOpen(t, scheme+"://"+rest, env); err == nil {
			u, locateErr := src.(source.Locator).Locate(source.File{Path: "x"})
			require.NoError(t, locateErr)
			require.Nil(t, u.User)
		} else {
			require.ErrorIs(t, err, lifecycle.Invalid)
		}
		_, err := tryOpen(t, scheme+"://id:canary@"+rest, env)
		require.ErrorIs(t, err, lifecycle.Invalid)
		require.NotContains(t, err.Error(), "canary")
	})
}

// Whatever a connection string is, opening neither panics nor repeats its secrets.
func FuzzConnection(f *testing.F) {
	f.Add("AccountName=a1b;AccountKey=canary")
	f.Add("UseDevelopmentStorage=true")
	f.Add("BlobEndpoint=http://canary:canary@h/?canary;SharedAccessSignature=sig=canary")
	f.Add("canary;=;;")
	f.Fuzz(func(t *testing.T, text string) {
		src, err := tryOpen(t, "az://models/llama", lifecycle.EnvVars{
			"AZURE_STORAGE_CONNECTION_STRING": text + ";AccountKey=c3BpbnVwL2NhbmFyeQ==",
		})
		require.NotContains(t, dump(src)+dump(err), "c3BpbnVwL2NhbmFyeQ")
		if err != nil {
			require.ErrorIs(t, err, lifecycle.Invalid)
		}
	})
}
