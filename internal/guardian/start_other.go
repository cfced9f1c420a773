//go:build !unix

package guardian

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// A Guard cannot exist on this system.
type Guard struct{ Stdin, Output *os.File }

// Start fails: without process groups and inherited pipes, no promise could be kept.
func Start(context.Context, Order, func(Death)) (*Guard, error) { return nil, errors.ErrUnsupported }

// PID returns 0.
func (*Guard) PID() int { return 0 }

// Signal fails.
func (*Guard) Signal(syscall.Signal) error { return errors.ErrUnsupported }

// Yield fails.
func (*Guard) Yield(bool) error { return errors.ErrUnsupported }

// Kill fails.
func (*Guard) Kill() error { return errors.ErrUnsupported }

// Wait fails.
func (*Guard) Wait() (exit int, err error) { return -1, errors.ErrUnsupported }

// Family returns nil.
func Family(int) []Process { return nil }

// Alive reports false.
func (Process) Alive() bool { return false }
