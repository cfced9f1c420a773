// Package silence lets who asks a source say how long a server may be silent inside an answer,
// which drivers whose clients are made by package transport keep to.
package silence

import (
	"context"
	"time"
)

type key struct{}

// Within returns a context in which answers that bring no byte for d are given up.
func Within(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, key{}, d)
}

// Limit returns what Within was told, or 0.
func Limit(ctx context.Context) time.Duration {
	d, _ := ctx.Value(key{}).(time.Duration)
	return d
}
