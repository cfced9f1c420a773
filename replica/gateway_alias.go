package replica

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"strings"
)

// rename returns body, which [modelField] could read, with its model called id, as its
// engine does. Everything else stays byte for byte in JSON, and in the parts of a form.
func rename(contentType string, body []byte, id string) []byte {
	renamed, err := renameJSON(body, id)
	if boundary := formBoundary(contentType); boundary != "" {
		renamed, err = renameForm(body, boundary, id)
	}
	if err != nil {
		return body // the engine will tell what it cannot read
	}
	return renamed
}

// renameJSON replaces the value of each field that readers may take for the model.
func renameJSON(body []byte, id string) ([]byte, error) {
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	var out []byte
	kept := int64(0) // body[:kept] is in out
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil { // the opening brace
		return nil, err
	}
	for d.More() {
		field, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		if name, ok := field.(string); ok && strings.EqualFold(name, "model") {
			end := d.InputOffset()
			out = append(append(out, body[kept:end-int64(len(value))]...), quoted...)
			kept = end
		}
	}
	return append(out, body[kept:]...), nil
}

func renameForm(body []byte, boundary, id string) ([]byte, error) {
	var out bytes.Buffer
	to := multipart.NewWriter(&out)
	if err := to.SetBoundary(boundary); err != nil {
		return nil, err
	}
	for form := multipart.NewReader(bytes.NewReader(body), boundary); ; {
		part, err := form.NextRawPart()
		if err == io.EOF { //nolint:errorlint // the reader returns it as it is
			err = to.Close()
			return out.Bytes(), err
		}
		if err != nil {
			return nil, err
		}
		copied, err := to.CreatePart(part.Header)
		if err != nil {
			return nil, err
		}
		content := io.Reader(part)
		if part.FormName() == "model" {
			content = strings.NewReader(id)
		}
		if _, err := io.Copy(copied, content); err != nil {
			return nil, err
		}
	}
}
