package spinup_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/stretchr/testify/require"
)

// An extra file comes by a signed link to the name that is asked for, and the signature is told to nobody.
func TestExtraFileBySignedLink(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("sig") != "canary" || r.URL.Path != "/some files/f.txt" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("extra"))
	}))
	t.Cleanup(server.Close)
	to := filepath.Join(t.TempDir(), "out.txt")
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource.ExtraFiles = []spinup.ExtraFile{
		{BucketURI: server.URL + "/some%20files/f.txt?sig=canary", DestinationPath: to},
	}
	d := begin(t, quiet(), cfg)
	require.NoError(t, d.Ready(t.Context()))
	text, err := os.ReadFile(to)
	require.NoError(t, err)
	require.Equal(t, "extra", string(text))

	told := 0
	for span := range d.Timeline().All() {
		require.NotContains(t, span.Message, "canary")
		told += strings.Count(span.Message, "f.txt?[redacted]")
	}
	require.Equal(t, 1, told)
}
