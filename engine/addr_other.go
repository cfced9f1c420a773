//go:build !linux

package engine

import (
	"context"
	"net"
)

// claimNode claims nothing: hosts on one machine may choose the same port, one in 12,768.
func claimNode(context.Context, string) (release func(), ok bool) { return func() {}, true }

var alone net.ListenConfig
