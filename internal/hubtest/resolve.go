package hubtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// resolve answers with a link to the CDN for large files, with an address that names the
// commit for small ones, and there with the bytes.
func (h *Hub) resolve(w http.ResponseWriter, r *http.Request, q request) {
	repo, ok := h.open(w, r, q.id, true)
	if !ok {
		return
	}
	h.mu.Lock()
	sha := repo.find(q.rev)
	f, found := repo.commits[sha][q.file]
	h.mu.Unlock()
	if sha == "" {
		noRevision(w, q.rev)
		return
	}
	header := w.Header()
	header.Set("X-Repo-Commit", sha)
	if !found {
		fail(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	if q.cached {
		header.Set("ETag", `"`+f.oid+`"`)
		h.send(w, r, f.data)
		return
	}
	header.Set("X-Linked-Size", strconv.Itoa(len(f.data)))
	header.Set("X-Linked-Etag", `"`+f.etag()+`"`)
	to, status := h.link(f), http.StatusFound
	if f.sha256 == "" {
		to, status = cacheAddress(q, sha, r), http.StatusTemporaryRedirect
	} else {
		header.Set("X-Xet-Hash", f.xet())
		header.Set("Link", fmt.Sprintf(`<%s/api/models/%s/xet-read-token/%s>; rel="xet-auth", <https://cas.invalid/v1/reconstructions/%s>; rel="xet-reconstruction-info"`,
			h.URL, q.id, sha, f.xet()))
	}
	header.Set("Location", to)
	w.WriteHeader(status)
}

func cacheAddress(q request, sha string, r *http.Request) string {
	id := q.id
	if !strings.Contains(id, "/") {
		id = "_/" + id
	}
	parts := strings.Split(q.file, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/api/resolve-cache/models/" + id + "/" + sha + "/" + strings.Join(parts, "/") + "?" + url.QueryEscape(r.URL.EscapedPath()) + "="
}

// link is where the CDN has f, for a while.
func (h *Hub) link(f file) string {
	life := h.LinkLife
	if life == 0 {
		life = time.Hour
	}
	expires := strconv.FormatInt(time.Now().Add(life).UnixMilli(), 10)
	h.mu.Lock()
	expired := strconv.Itoa(h.expired)
	h.mu.Unlock()
	q := url.Values{
		"Expired": {expired}, // so often before it was made
		"Expires": {expires}, "Signature": {signature(f.sha256, expires)},
		"response-content-disposition": {fmt.Sprintf("inline; filename=%q", path.Base(f.path))},
	}
	return h.CDN + "/xet-bridge/" + f.oid[:24] + "/" + f.sha256 + "?" + q.Encode()
}

// signature needs no secret key: who forges it only cheats in a test.
func signature(blob, expires string) string {
	sum := sha256.Sum256([]byte("signed " + blob + " " + expires))
	return hex.EncodeToString(sum[:])
}

// serveCDN sends large files. It wants no token beside the signature.
func (h *Hub) serveCDN(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	blob, expires := path.Base(r.URL.Path), q.Get("Expires")
	until, _ := strconv.ParseInt(expires, 10, 64) // what is no number has expired
	h.mu.Lock()
	data, ok := h.large[blob]
	old := q.Get("Expired") != strconv.Itoa(h.expired)
	h.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "":
		refuse(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed")
	case q.Get("Signature") != signature(blob, expires):
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "Access denied")
	case old || time.Now().UnixMilli() > until:
		refuse(w, http.StatusForbidden, "AccessDenied", "Request has expired")
	case !ok:
		refuse(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	default:
		w.Header().Set("ETag", `"`+blob[:32]+`"`) // it is not the blob's name: who believes it is wrong
		w.Header().Set("Content-Type", "application/octet-stream")
		h.send(w, r, data)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message) // see fail
}

// send answers with data or the range of it, compressed where the client likes that.
func (h *Hub) send(w http.ResponseWriter, r *http.Request, data []byte) {
	small := len(data) > 256 && len(data) <= lfsAbove
	if small && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
		Gzip(w, r, content(data))
		return
	}
	content(data).ServeHTTP(w, r)
}

func content(data []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}
