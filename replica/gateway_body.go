package replica

import (
	"bytes"
	"context"
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

func (b *badInput) write(w http.ResponseWriter) {
	if b.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
		writeError(w, b.status, apiError{Type: "server_error", Code: b.code, Message: b.message})
		return
	}
	badRequest(w, b.status, b.code, b.message)
}

// read reads the whole body of r into b. One that is too long, does not arrive in time, or for
// which there is no room in time, ends the connection.
func (g *Gateway) read(w http.ResponseWriter, r *http.Request, b *body) *badInput {
	known := r.ContentLength
	length := known // to be counted
	if known < 0 {
		length = g.opts.MaxBody
	}
	err := error(&http.MaxBytesError{Limit: g.opts.MaxBody})
	if length <= g.opts.MaxBody {
		room, cancel := context.WithTimeoutCause(r.Context(), g.opts.BodyWithin, errNoRoom)
		defer cancel()
		if err = b.count(room, length); err != nil {
			err = context.Cause(room)
		}
	}
	if err == nil {
		control := http.NewResponseController(w)
		_ = control.SetReadDeadline(time.Now().Add(g.opts.BodyWithin)) // no connection, no limit: a test's recorder
		data := bytes.NewBuffer(make([]byte, 0, max(known, 0)+bytes.MinRead))
		if _, err = data.ReadFrom(http.MaxBytesReader(w, r.Body, g.opts.MaxBody)); err == nil {
			_ = control.SetReadDeadline(time.Time{}) // its answer may take as long as it likes
			b.set(data.Bytes())
			return nil
		}
	}
	w.Header().Set("Connection", "close") // what is left of it is not waited for
	return g.unread(err)
}

var errNoRoom = errors.New("the door holds as many bytes of requests as it may; try again later")

// unread explains why a body was not read.
func (g *Gateway) unread(err error) *badInput {
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return &badInput{
			http.StatusRequestEntityTooLarge, "request_too_large",
			fmt.Sprintf("the request body is larger than %d bytes", g.opts.MaxBody),
		}
	}
	switch {
	case errors.Is(err, errNoRoom):
		return &badInput{http.StatusServiceUnavailable, "too_many_bytes", errNoRoom.Error()}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &badInput{
			http.StatusRequestTimeout, "request_timeout",
			fmt.Sprintf("the request body did not arrive within %v", g.opts.BodyWithin),
		}
	default:
		return &badInput{http.StatusBadRequest, "unreadable_body", "the request body could not be read"}
	}
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
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field == "model" {
			return "", &badInput{http.StatusBadRequest, "invalid_model", "the field model must be a string"}
		}
		return "", &badInput{http.StatusBadRequest, "invalid_json", "the request body must be a JSON object, not " + wrong.Value}
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
