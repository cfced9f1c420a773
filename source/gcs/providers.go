package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	"github.com/spinup-llm/spinup/lifecycle"
)

// readScope is all that reading needs.
const readScope = "https://www.googleapis.com/auth/devstorage.read_only"

// These bound one request to the metadata server, where there has to be one and elsewhere. That of a
// new pod refuses for some seconds; a firewall is silent.
const (
	metadataLimit = 5 * time.Second
	nobodyLimit   = 3 * time.Second
)

// named is the file that a variable names.
func (s *settings) named(client *http.Client) step {
	st := step{name: "GOOGLE_APPLICATION_CREDENTIALS", absent: "not set"}
	if path := s.env("GOOGLE_APPLICATION_CREDENTIALS"); path != "" {
		st.open = func(context.Context) (*auth.Credentials, error) { return fromFile(path, s.scope, client) }
	}
	return st
}

// login is the file of gcloud.
func (s *settings) login(client *http.Client) step {
	path := s.wellKnown()
	st := step{name: cmp.Or(path, "the file of gcloud"), absent: "none"}
	if _, err := os.Stat(path); path == "" || errors.Is(err, fs.ErrNotExist) { //nolint:gosec // the operator names the folder
		return st
	}
	st.open = func(context.Context) (*auth.Credentials, error) { return fromFile(path, s.scope, client) }
	return st
}

// fromFile reads credentials of any of Google's kinds.
func fromFile(path, scope string, client *http.Client) (*auth.Credentials, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	var file struct {
		Type credentials.CredType `json:"type"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, errors.New("the file is not JSON") // the parser's words may repeat some of it
	}
	if file.Type == "" {
		return nil, errors.New(`the file has no "type": it is not one of credentials`)
	}
	return credentials.NewCredentialsFromJSON(file.Type, data, &credentials.DetectOptions{
		Scopes: []string{scope}, Client: client, DisableAsyncRefresh: true,
	})
}

// instance is the service account of the machine, or of the pod.
func (s *settings) instance(client *http.Client) step {
	st := step{name: "the metadata server of Google's machines", optional: true}
	if strings.EqualFold(s.env("NO_GCE_CHECK"), "true") {
		st.absent = "NO_GCE_CHECK"
		return st
	}
	m := &metadata{
		host: cmp.Or(s.env("GCE_METADATA_HOST"), "169.254.169.254"), scope: s.scope, client: client, limit: nobodyLimit,
	}
	expected := s.isGoogle()
	if expected {
		m.limit = metadataLimit
	}
	st.open = func(ctx context.Context) (*auth.Credentials, error) {
		cached := auth.NewCachedTokenProvider(m, &auth.CachedTokenProviderOptions{DisableAsyncRefresh: true})
		_, err := cached.Token(ctx)
		if _, sent := errors.AsType[*url.Error](err); sent && !expected {
			return nil, errNobody
		}
		if err != nil {
			return nil, err
		}
		return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: cached}), nil
	}
	return st
}

var errNobody = errors.New("nobody answers")

// isGoogle reports whether there has to be a metadata server: that of a new pod or machine
// refuses for some seconds, which is not the same as no server at all.
func (s *settings) isGoogle() bool {
	if s.env("GCE_METADATA_HOST") != "" {
		return true
	}
	product, _ := os.ReadFile("/sys/class/dmi/id/product_name") // where Google's own library looks
	return strings.HasPrefix(string(product), "Google")
}

// A metadataError is an answer of the metadata server that is no token.
type metadataError struct{ status int }

// Error implements error.
func (e *metadataError) Error() string {
	return fmt.Sprintf("the metadata server answered %d", e.status)
}

// metadata is an auth.TokenProvider. The SDK's own would look at the process's environment.
type metadata struct {
	host   string
	scope  string
	client *http.Client
	limit  time.Duration
}

// Token implements auth.TokenProvider.
func (m *metadata) Token(ctx context.Context) (*auth.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	at := url.URL{
		Scheme: "http", Host: m.host, Path: "/computeMetadata/v1/instance/service-accounts/default/token",
		RawQuery: url.Values{"scopes": {m.scope}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Metadata-Flavor", "Google")
	res, err := m.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, &metadataError{res.StatusCode}
	}
	return parseToken(io.LimitReader(res.Body, 64<<10), time.Now())
}

// parseToken reads what the metadata server answers.
func parseToken(r io.Reader, now time.Time) (*auth.Token, error) {
	var t struct {
		Value   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	if err := json.NewDecoder(r).Decode(&t); err != nil || t.Value == "" || t.Seconds <= 0 || strings.ContainsAny(t.Value, "\r\n") {
		return nil, errors.New("the metadata server gave no token")
	}
	return &auth.Token{Value: t.Value, Expiry: now.Add(time.Duration(min(t.Seconds, 86400)) * time.Second)}, nil
}

func newFound(ctx context.Context, name string, tried []string, creds *auth.Credentials) *found {
	f := &found{name: name, tried: tried, creds: creds, secrets: lifecycle.EnvVars{}}
	var file struct {
		Payer  string `json:"quota_project_id"`
		Source struct {
			RefreshToken string `json:"refresh_token"`
			ClientSecret string `json:"client_secret"`
			PrivateKey   string `json:"private_key"`
		} `json:"source_credentials"`
		RefreshToken string `json:"refresh_token"`
		ClientSecret string `json:"client_secret"`
		PrivateKey   string `json:"private_key"`
	}
	_ = json.Unmarshal(creds.JSON(), &file) // it has been read before; from the metadata server there is none
	f.payer = file.Payer
	if project, err := creds.ProjectID(ctx); err == nil {
		f.project = project
	}
	f.secrets["refresh_token"], f.secrets["client_secret"], f.secrets["private_key"] = file.RefreshToken, file.ClientSecret, file.PrivateKey
	s := file.Source
	f.secrets["source_token"], f.secrets["source_secret"], f.secrets["source_key"] = s.RefreshToken, s.ClientSecret, s.PrivateKey
	return f
}

// tokenText words why there is no token, without the layers of the SDK and without bodies.
func tokenText(err error) string {
	refused, ok := errors.AsType[*auth.Error](err)
	if !ok {
		if sent, isSent := errors.AsType[*url.Error](err); isSent {
			return sent.Err.Error()
		}
		return strings.TrimPrefix(err.Error(), "credentials: ")
	}
	var why struct {
		Error       any    `json:"error"`
		Description string `json:"error_description"`
	}
	text := "the service of tokens refused"
	if refused.Response != nil {
		text = fmt.Sprintf("the service of tokens answered %d", refused.Response.StatusCode)
	}
	if json.Unmarshal(refused.Body, &why) == nil {
		if code, isText := why.Error.(string); isText {
			text += ": " + strings.TrimSuffix(code+": "+why.Description, ": ")
		}
	}
	return text
}
