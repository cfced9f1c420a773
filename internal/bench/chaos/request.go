//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The ends that a request may have.
const (
	answered = iota // whole
	failed          // before the first byte of its answer
	ended           // by an error event, after its answer had begun
	cut             // after its answer had begun, without such an event
)

// An outcome is what became of a request.
type outcome struct {
	end     int
	why     string // for failed and cut
	took    time.Duration
	tries   int  // replicas that it was sent to
	touched bool // a fault was in its way
}

// A question is one request.
type question struct {
	id, model string
	tokens    int
	stream    bool
}

// ask sends a question and reads its answer to the end.
func ask(ctx context.Context, client *http.Client, url string, q question) outcome {
	begun := time.Now()
	body := fmt.Sprintf(`{"model":%q,"messages":[{"role":"user","content":"What does a deployment do first?"}],`+
		`"max_tokens":%d,"temperature":0,"ignore_eos":true,"stream":%t}`, q.model, q.tokens, q.stream)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return outcome{end: failed, why: err.Error()}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(idHeader, q.id)
	resp, err := client.Do(r)
	if err != nil {
		return outcome{end: failed, why: err.Error()}
	}
	defer resp.Body.Close() //nolint:errcheck // it was read to its end
	text, err := io.ReadAll(resp.Body)
	o := classify(resp.StatusCode, q.stream, text, err)
	o.took = time.Since(begun)
	return o
}

// classify judges an answer.
func classify(status int, stream bool, text []byte, err error) outcome {
	why := fmt.Sprintf("status %d, %v: %q", status, err, text[max(0, len(text)-300):])
	last := lastEvent(text)
	switch {
	case status != http.StatusOK, len(text) == 0, stream && !bytes.Contains(text, []byte(`"choices"`)):
		return outcome{end: failed, why: why}
	case err == nil && stream && string(last) == "[DONE]", err == nil && !stream && json.Valid(text):
		return outcome{end: answered}
	case err == nil && stream && isError(last):
		return outcome{end: ended}
	default:
		return outcome{end: cut, why: why}
	}
}

// lastEvent returns the data of the last event, or nil where the stream does not end with
// a whole one.
func lastEvent(text []byte) []byte {
	whole, ok := bytes.CutSuffix(text, []byte("\n\n"))
	if !ok {
		return nil
	}
	_, data, _ := bytes.Cut(whole[bytes.LastIndexByte(whole, '\n')+1:], []byte("data: "))
	return data
}

// isError reports an error as the OpenAI API writes it.
func isError(data []byte) bool {
	var e struct {
		Error struct{ Message string }
	}
	return json.Unmarshal(data, &e) == nil && e.Error.Message != ""
}
