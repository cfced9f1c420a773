package compilecache

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// format is the version of the packs' form, and so of their names.
const format = 1

// A Key is all that compiled files depend on. It stands in the pack as it is: it may hold no
// secret.
type Key struct {
	Model string            `json:"model"`  // digest of the model's files
	Parts map[string]string `json:"engine"` // what the engine's driver says, by name
}

// Name is a digest of the key, for a folder or an object.
func (k Key) Name() string {
	text, err := json.Marshal(struct {
		Format int
		Key    Key
	}{format, k})
	if err != nil {
		panic(err) // strings always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:20])
}

// Differs names a part that the keys do not share; "" when they are equal.
func (k Key) Differs(other Key) string {
	if k.Model != other.Model {
		return "model"
	}
	for name, value := range k.Parts {
		if was, ok := other.Parts[name]; !ok || was != value {
			return name
		}
	}
	for name := range other.Parts {
		if _, ok := k.Parts[name]; !ok {
			return name
		}
	}
	return ""
}
