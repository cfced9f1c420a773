//go:build linux

package hubserver

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
)

// link makes a link, named by its SHA-256, to each file that the hub's own listing says is
// large.
func link(ctx context.Context, url, id, data, blobs string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/models/"+id+"/tree/main?recursive=true", http.NoBody)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	var entries []struct {
		Path string
		LFS  struct{ OID string }
	}
	if err := json.NewDecoder(res.Body).Decode(&entries); err != nil {
		return err
	}
	for _, e := range entries {
		if e.LFS.OID == "" {
			continue
		}
		if err := os.Symlink(filepath.Join(data, filepath.FromSlash(e.Path)), filepath.Join(blobs, e.LFS.OID)); err != nil {
			return err
		}
	}
	return nil
}
