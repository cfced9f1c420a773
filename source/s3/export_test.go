package s3

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spinup-llm/spinup/source"
)

// CheckAnswer says what is wrong with an answer to the request for a range of f.
func CheckAnswer(length int64, contentRange, coding string, f source.File, off, n int64) error {
	in, out := &s3.GetObjectInput{}, &s3.GetObjectOutput{ContentRange: &contentRange, ContentEncoding: &coding}
	if n < f.Size {
		in.Range = aws.String("a range")
	}
	if length >= 0 {
		out.ContentLength = &length
	}
	return answers(in, out, off, n)
}

// Pause is what Retry-After asks for.
func Pause(value string, now time.Time) time.Duration { return pause(value, now) }
