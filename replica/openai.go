package replica

import (
	"encoding/json"
	"net/http"
)

// apiError is the error object of the OpenAI API.
type apiError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    string  `json:"code"`
	ID      string  `json:"request_id,omitempty"`
}

// writeError tells e, and the id of the request that w answers.
func writeError(w http.ResponseWriter, status int, e apiError) {
	e.ID = w.Header().Get(requestID)
	writeJSON(w, status, map[string]apiError{"error": e})
}

func badRequest(w http.ResponseWriter, status int, code, message string) {
	writeError(w, status, apiError{Type: "invalid_request_error", Code: code, Message: message})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may have gone
}
