package azure

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// machineLimit bounds the first answer of a machine's identity: elsewhere nobody answers.
const machineLimit = 5 * time.Second

// The names that AZURE_TOKEN_CREDENTIALS knows.
const (
	byApplication = "EnvironmentCredential"
	byWorkload    = "WorkloadIdentityCredential"
	byMachine     = "ManagedIdentityCredential"
	byCommand     = "AzureCLICredential"
)

// identities make the credentials that give tokens.
type identities struct {
	env    func(string) string
	client *http.Client
	direct *http.Client // without proxies
}

// options name the authority, so that the SDK does not ask the process for it.
func (i identities) options() azcore.ClientOptions {
	authority := cmp.Or(i.env("AZURE_AUTHORITY_HOST"), cloud.AzurePublic.ActiveDirectoryAuthorityHost)
	return azcore.ClientOptions{
		Transport: i.client, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: authority},
		Retry: policy.RetryOptions{MaxRetries: 2, RetryDelay: 200 * time.Millisecond, MaxRetryDelay: 2 * time.Second},
	}
}

// chosen reports whether AZURE_TOKEN_CREDENTIALS lets a credential be used.
func (i identities) chosen(name string) bool {
	switch want := i.env("AZURE_TOKEN_CREDENTIALS"); strings.ToLower(want) {
	case "":
		return true
	case "prod":
		return name != byCommand
	case "dev":
		return name == byCommand
	default:
		return strings.EqualFold(name, want)
	}
}

// missing names the first variable that is not set.
func (i identities) missing(keys ...string) string {
	for _, key := range keys {
		if i.env(key) == "" {
			return key + " is not set"
		}
	}
	return ""
}

// application is a service principal with a secret or a certificate.
func (i identities) application() step {
	st := step{name: byApplication, absent: i.missing("AZURE_TENANT_ID", "AZURE_CLIENT_ID")}
	tenant, id := i.env("AZURE_TENANT_ID"), i.env("AZURE_CLIENT_ID")
	secret, path := i.env("AZURE_CLIENT_SECRET"), i.env("AZURE_CLIENT_CERTIFICATE_PATH")
	switch {
	case st.absent != "":
	case secret != "":
		st.open = func() (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(tenant, id, secret,
				&azidentity.ClientSecretCredentialOptions{ClientOptions: i.options()})
		}
	case path != "":
		password := i.env("AZURE_CLIENT_CERTIFICATE_PASSWORD")
		st.open = func() (azcore.TokenCredential, error) { return i.certificate(tenant, id, path, password) }
	default:
		st.absent = "AZURE_CLIENT_SECRET is not set"
	}
	return st
}

func (i identities) certificate(tenant, id, path, password string) (azcore.TokenCredential, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	certs, key, err := azidentity.ParseCertificates(data, []byte(password))
	if err != nil {
		return nil, errors.New("AZURE_CLIENT_CERTIFICATE_PATH names no certificate with its key")
	}
	return azidentity.NewClientCertificateCredential(tenant, id, certs, key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: i.options()})
}

// workload is the identity of a pod.
func (i identities) workload() step {
	st := step{name: byWorkload, absent: i.missing("AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID", "AZURE_CLIENT_ID")}
	if st.absent == "" {
		o := &azidentity.WorkloadIdentityCredentialOptions{
			ClientOptions: i.options(), ClientID: i.env("AZURE_CLIENT_ID"), TenantID: i.env("AZURE_TENANT_ID"),
			TokenFilePath: i.env("AZURE_FEDERATED_TOKEN_FILE"),
		}
		st.open = func() (azcore.TokenCredential, error) {
			creds, err := azidentity.NewWorkloadIdentityCredential(o)
			return withFile{creds, o.TokenFilePath}, err
		}
	}
	return st
}

// withFile needs a file: of one that cannot be read, the SDK tells no more than of a network that is away.
type withFile struct {
	azcore.TokenCredential

	path string
}

// GetToken implements azcore.TokenCredential.
func (w withFile) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if _, err := os.ReadFile(w.path); err != nil {
		return azcore.AccessToken{}, err
	}
	return w.TokenCredential.GetToken(ctx, o)
}

// machine is the managed identity of a virtual machine, or of what else Azure runs.
func (i identities) machine() step {
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: i.options()}
	o.Transport = i.direct
	if id := i.env("AZURE_CLIENT_ID"); id != "" {
		o.ID = azidentity.ClientID(id)
	}
	named := strings.EqualFold(i.env("AZURE_TOKEN_CREDENTIALS"), byMachine) || i.env("IDENTITY_ENDPOINT") != ""
	return step{name: byMachine, optional: true, expected: named, open: func() (azcore.TokenCredential, error) {
		creds, err := azidentity.NewManagedIdentityCredential(o)
		return patient{creds}, err
	}}
}

// patient gives up soon.
type patient struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (p patient) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx, cancel := context.WithTimeout(ctx, machineLimit)
	defer cancel()
	return p.TokenCredential.GetToken(ctx, o)
}

// commandLine is who is logged in with the command az.
func (i identities) commandLine() step {
	return step{name: byCommand, optional: true, open: func() (azcore.TokenCredential, error) {
		return azidentity.NewAzureCLICredential(nil)
	}}
}

// entraCode begins the description of an error of Entra ID; what follows may repeat ids.
var entraCode = regexp.MustCompile(`^AADSTS[0-9]{4,8}: [^\r\n.]{0,200}`)

// tokenText words why there is no token, without the answers that the SDK repeats.
func tokenText(err error) string {
	if unreached, ok := errors.AsType[*net.OpError](err); ok {
		return unreached.Error()
	}
	refused, ok := errors.AsType[*azidentity.AuthenticationFailedError](err)
	if !ok || refused.RawResponse == nil {
		if path, isFile := errors.AsType[*os.PathError](err); isFile {
			return path.Error()
		}
		return "it gave none"
	}
	text := fmt.Sprintf("the service of tokens answered %d", refused.RawResponse.StatusCode)
	data, readErr := runtime.Payload(refused.RawResponse)
	var why struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if readErr != nil || json.Unmarshal(data, &why) != nil {
		return text
	}
	if code := entraCode.FindString(why.Description); code != "" {
		return text + ": " + code
	}
	return text
}
