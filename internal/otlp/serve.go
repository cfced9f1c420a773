package otlp

import (
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	contentType = "application/x-protobuf"
	maxBody     = 4 << 20 // bytes, packed and unpacked; a start has some dozen spans
)

// ServeHTTP answers one export request as OTLP/HTTP says: an empty message for success,
// else a google.rpc.Status.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	e := r.find(req.URL.Path)
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	switch {
	case e == nil:
		refuse(w, http.StatusNotFound, "no such endpoint")
	case req.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, "POST only")
	case media != contentType:
		refuse(w, http.StatusUnsupportedMediaType, "send "+contentType)
	default:
		receive(w, req, e)
	}
}

func receive(w http.ResponseWriter, req *http.Request, e *Endpoint) {
	body, status, err := readBody(w, req)
	if err != nil {
		refuse(w, status, err.Error())
		return
	}
	spans, err := Decode(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "not an export request")
		return
	}
	e.pass(spans)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
}

// readBody returns the unpacked body, or an error and its status.
func readBody(w http.ResponseWriter, req *http.Request) ([]byte, int, error) {
	var in io.Reader = http.MaxBytesReader(w, req.Body, maxBody)
	switch req.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, http.StatusBadRequest, errors.New("not gzip")
		}
		in = unpacked
	default:
		return nil, http.StatusUnsupportedMediaType, errors.New("send gzip or plain")
	}
	body, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	var tooLarge *http.MaxBytesError
	switch {
	case len(body) > maxBody, errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, errors.New("too large")
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("broken body")
	default:
		return body, 0, nil
	}
}

// refuse answers with a google.rpc.Status, whose field 2 is the message.
func refuse(w http.ResponseWriter, status int, message string) {
	body := protowire.AppendTag(nil, 2, protowire.BytesType)
	body = protowire.AppendString(body, message)
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
