//go:build !unix

package engine

import (
	"errors"
	"io"
)

func unread(io.Reader) bool { return false }

func awaitUnread(io.Reader) error { return errors.ErrUnsupported }
