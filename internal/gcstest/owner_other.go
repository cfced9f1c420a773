//go:build !linux

package gcstest

import "syscall"

func diesWithParent() *syscall.SysProcAttr { return nil }
