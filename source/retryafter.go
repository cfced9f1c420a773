package source

import (
	"errors"
	"time"
)

type delayed struct {
	error
	wait time.Duration
}

// Unwrap returns the error without the delay.
func (d delayed) Unwrap() error { return d.error }

// WithRetryAfter is for drivers: it notes on err how long the service asked to wait.
func WithRetryAfter(err error, wait time.Duration) error {
	if err == nil || wait <= 0 {
		return err
	}
	return delayed{err, wait}
}

// RetryAfter returns how long the service that caused err asked to wait, or 0.
func RetryAfter(err error) time.Duration {
	if d, ok := errors.AsType[delayed](err); ok {
		return d.wait
	}
	return 0
}
