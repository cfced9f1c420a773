package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"
)

// A badInput is why a request is answered here: it names no model that could do so.
type badInput struct {
	status        int
	code, message string
}

func (b *badInput) write(w http.ResponseWriter) { badRequest(w, b.status, b.code, b.message) }

// read returns the whole body of r. One that is too long, or does not arrive in time, ends
// the connection.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request) ([]byte, *badInput) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(g.opts.BodyWithin)) // no connection, no limit: a test's recorder
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, g.opts.MaxBody))
	if err == nil {
		_ = control.SetReadDeadline(time.Time{}) // its answer may take as long as it likes
		return body, nil
	}
	w.Header().Set("Connection", "close") // what is left of it is not waited for
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return nil, &badInput{
			http.StatusRequestEntityTooLarge, "request_too_large",
			fmt.Sprintf("the request body is larger than %d bytes", g.opts.MaxBody),
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, &badInput{
			http.StatusRequestTimeout, "request_timeout",
			fmt.Sprintf("the request body did not arrive within %v", g.opts.BodyWithin),
		}
	}
	return nil, &badInput{http.StatusBadRequest, "unreadable_body", "the request body could not be read"}
}

// modelField returns the model that a body of JSON or of a form names.
func modelField(contentType string, body []byte) (string, *badInput) {
	if boundary := formBoundary(contentType); boundary != "" {
		return formModel(body, boundary)
	}
	var request struct {
		Model *string `json:"model"`
	}
	err := json.Unmarshal(body, &request)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field == "model" {
		return "", &badInput{http.StatusBadRequest, "invalid_model", "the field model must be a string"}
	}
	if err != nil {
		return "", &badInput{http.StatusBadRequest, "invalid_json", "the request body is not valid JSON: " + err.Error()}
	}
	if request.Model == nil {
		return "", &badInput{http.StatusBadRequest, "missing_model", "the field model is missing"}
	}
	return *request.Model, nil
}

// formBoundary returns what parts a form, as uploads of audio are, or "".
func formBoundary(contentType string) string {
	if !strings.HasPrefix(contentType, "multipart/") { // most are not
		return ""
	}
	_, params, _ := mime.ParseMediaType(contentType)
	return params["boundary"]
}

// longestName bounds the model field of a form, in bytes.
const longestName = 4 << 10

func formModel(body []byte, boundary string) (string, *badInput) {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return "", &badInput{http.StatusBadRequest, "missing_model", "the form has no field model"}
		}
		var name []byte
		if err == nil && part.FormName() == "model" {
			name, err = io.ReadAll(io.LimitReader(part, longestName))
		}
		if err != nil {
			return "", &badInput{http.StatusBadRequest, "invalid_form", "the request body is not a valid form: " + err.Error()}
		}
		if part.FormName() == "model" {
			return string(name), nil
		}
	}
}
