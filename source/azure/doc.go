// Package azure is the driver for models in Azure Blob Storage and Data Lake Storage.
//
//	opener := azure.Opener()
//	for _, scheme := range azure.Schemes {
//		mux.Handle(scheme, opener)
//	}
//	src, err := mux.Open(ctx, "abfss://models@account.dfs.core.windows.net/llama") // as Ray writes it
//	src, err = mux.Open(ctx, "azure://models@account.blob.core.windows.net/llama") // the same folder
//	src, err = mux.Open(ctx, "az://models/llama")                                  // with AZURE_STORAGE_ACCOUNT_NAME
//
// A prefix is a folder: …/llama never takes …/llama-13b/…. Where no such folder exists, a
// blob with exactly that name becomes a manifest of one file. It is a module of its own, so
// that only programs that use it carry the SDK.
//
// # Settings
//
// All is looked up through [source.OpenOptions.Getenv] alone, so that the env_vars of one
// model reach neither another one nor the process. Who reads is the first of:
//
//  1. nobody, where AZURE_STORAGE_ANON is true or the URI is azure://anonymous@CONTAINER/…
//  2. AZURE_STORAGE_CONNECTION_STRING
//  3. AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_KEY
//  4. AZURE_STORAGE_SAS_TOKEN
//  5. an application: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or
//     AZURE_CLIENT_CERTIFICATE_PATH (with AZURE_CLIENT_CERTIFICATE_PASSWORD)
//  6. workload identity: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE
//  7. the managed identity of the machine, or the one that AZURE_CLIENT_ID names
//  8. who is logged in with the command az
//
// The last four follow the SDK's DefaultAzureCredential, and AZURE_TOKEN_CREDENTIALS chooses
// among them as there: prod, dev, or the name of one. The command az and the kinds of managed
// identity beside that of machines read further variables of their own from the process.
//
// A key, a SAS or a connection string is sent only to the account that it is for: one of
// another account (AZURE_STORAGE_ACCOUNT_NAME or AZURE_STORAGE_ACCOUNT) is an error.
// AZURE_STORAGE_ENDPOINT, or the BlobEndpoint of a connection string, is where the account's
// containers lie instead: http://127.0.0.1:10000/devstoreaccount1 for an emulator.
// AZURE_AUTHORITY_HOST is who gives tokens. Proxies are those of the process; a client of the
// caller's own ([source.OpenOptions.HTTP]) brings its own.
//
// # Digests
//
// A file's Version is its ETag and the If-Match of every read. Its Digest is the Content-MD5
// that the listing tells, so that a folder of any size takes one request per 5000 blobs.
// Uploads in blocks have one only where the uploader gave it; else only the size tells.
//
// # Errors
//
// As package source says; a wrong container or prefix comes with the nearest that exist, a
// refusal with the missing permission, a rejected key with the place it came from. Lists are
// tried three times, reads once: download knows better how to go on. A service of tokens that
// does not answer is Unavailable; a machine's is missed only where AZURE_TOKEN_CREDENTIALS names
// it, where IDENTITY_ENDPOINT is set, or where it gave a token before.
//
// # Telemetry
//
// None of its own.
package azure
