//go:build linux

package main

import (
	"net/http"
	"sync/atomic"
)

// A counter is a handler that counts the requests that have reached it.
type counter struct {
	next  http.Handler
	count atomic.Int64
}

// ServeHTTP implements http.Handler.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.count.Add(1)
	c.next.ServeHTTP(w, r)
}
