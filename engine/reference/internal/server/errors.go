package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// apiError is an error in the form that OpenAI clients understand.
type apiError struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// invalid is a request that has to change; param may be "".
func invalid(param, format string, args ...any) *apiError {
	e := &apiError{status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: "invalid_request_error"}
	if param != "" {
		e.Param = &param
	}
	return e
}

func (e *apiError) with(status int, code string) *apiError {
	e.status, e.Code = status, &code
	return e
}

// unavailable is a request that may come again, unchanged.
func unavailable(code, message string) *apiError {
	return &apiError{status: http.StatusServiceUnavailable, Message: message, Type: "unavailable_error", Code: &code}
}

// asAPI turns any error into one for clients.
func asAPI(err error) *apiError {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{status: http.StatusInternalServerError, Message: err.Error(), Type: "internal_error"}
}

func writeError(w http.ResponseWriter, err error) {
	e := asAPI(err)
	if e.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeJSON(w, e.status, map[string]any{"error": e})
}

// writeJSON writes an answer; a client that has gone is nobody's problem.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
