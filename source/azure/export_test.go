package azure

import (
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/spinup-llm/spinup/source"
)

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(length int64, contentRange, coding string, f source.File, off, n int64) error {
	var res blob.DownloadStreamResponse
	res.ContentRange, res.ContentEncoding = &contentRange, &coding
	if length >= 0 {
		res.ContentLength = &length
	}
	return answers(res, f, off, n)
}

// Pause is what the headers ask for.
func Pause(ms, value string, now time.Time) time.Duration {
	return retryAfter(http.Header{"X-Ms-Retry-After-Ms": {ms}, "Retry-After": {value}}, now)
}
