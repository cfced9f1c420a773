package azure_test

import (
	"context"
	"fmt"

	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/azure"
)

func ExampleOpener() {
	var mux source.Mux
	opener := azure.Opener()
	for _, scheme := range azure.Schemes {
		mux.Handle(scheme, opener)
	}
	perModel := mux.WithEnv(lifecycle.EnvVars{"AZURE_STORAGE_SAS_TOKEN": "sv=2026-02-06&sr=c&sp=rl&sig=secret"})

	src, err := perModel.Open(context.Background(), "abfss://models@account.dfs.core.windows.net/llama")
	fmt.Println(src, err)
	_, err = perModel.Open(context.Background(), "abfss://models@account.dfs.core.windows.net/llama?sig=secret")
	fmt.Println(err)
	// Output:
	// abfss://models@account.dfs.core.windows.net/llama <nil>
	// source.Open abfss://models@account.dfs.core.windows.net/llama?[redacted]: invalid: it has a query (an Azure URI has the form abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX, or az://CONTAINER/PREFIX with AZURE_STORAGE_ACCOUNT_NAME, without a query; a SAS goes into AZURE_STORAGE_SAS_TOKEN)
}
