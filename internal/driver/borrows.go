package driver

import (
	"path/filepath"
	"strings"
)

// Borrows reports whether a config.json names what lies in another repository: parts of the model, as
// Ultravox's text_model_id and audio_model_id do, or, where such code may run, "org/name--module.Class"
// in auto_map.
func Borrows(config map[string]any, remoteCode bool) bool {
	for key, v := range config {
		if id, ok := v.(string); ok && strings.HasSuffix(key, "_model_id") && id != "" && !filepath.IsAbs(id) {
			return true
		}
	}
	refs, ok := config["auto_map"].(map[string]any)
	if !ok || !remoteCode {
		return false
	}
	for _, ref := range refs {
		if name, ok := ref.(string); ok && strings.Contains(name, "--") {
			return true
		}
	}
	return false
}
