package replica

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// A Key lets who has it use models. It keeps a digest and not the key itself: nothing that
// prints or logs it can tell the key.
type Key struct {
	digest [sha256.Size]byte
	models []string // nil means all
}

// NewKey returns the key that requests send as "Authorization: Bearer KEY". It is good for
// the models with these ids, or for all where none is named. An empty key opens nothing.
func NewKey(key string, models ...string) Key {
	return Key{digest: sha256.Sum256([]byte(key)), models: models}
}

// allows reports whether k is good for the model; nil, where no key is needed, is.
func (k *Key) allows(id string) bool {
	return k == nil || k.models == nil || slices.Contains(k.models, id)
}

// Keys are those that open a door. None means that it is open.
type Keys []Key

// Protect returns h for those only who send a key that is good for all models. Others get
// 401 and an error as OpenAI's.
func (ks Keys) Protect(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k := ks.find(r); len(ks) > 0 && (k == nil || k.models != nil) {
			unauthorized(w)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// find returns the key that r sends, or nil. It takes as long whichever it is.
func (ks Keys) find(r *http.Request) *Key {
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || sent == "" {
		return nil
	}
	digest := sha256.Sum256([]byte(sent))
	found := -1
	for i := range ks {
		found = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(digest[:], ks[i].digest[:]), i, found)
	}
	if found < 0 {
		return nil
	}
	return &ks[found]
}

type keyInContext struct{}

// keyOf returns the key that r came in with; nil where none is needed.
func keyOf(r *http.Request) *Key {
	k, _ := r.Context().Value(keyInContext{}).(*Key)
	return k
}

// admit returns r with its key, or answers it and returns nil. Behind the door nobody sees the
// key: its digest stands for it, so that callers can be told apart.
func (ks Keys) admit(w http.ResponseWriter, r *http.Request) *http.Request {
	if len(ks) == 0 {
		return r
	}
	k := ks.find(r)
	if k == nil {
		unauthorized(w)
		return nil
	}
	r = r.WithContext(context.WithValue(r.Context(), keyInContext{}, k))
	r.Header.Set("Authorization", "Bearer "+hex.EncodeToString(k.digest[:8]))
	return r
}

func unauthorized(w http.ResponseWriter) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	badRequest(w, http.StatusUnauthorized, "invalid_api_key",
		"the API key is missing, wrong, or not good for this; send one as Authorization: Bearer KEY")
}
