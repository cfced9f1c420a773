//go:build !unix

package engine

import "io"

func unread(io.Reader) bool { return false }
