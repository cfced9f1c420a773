//go:build !linux

package azure_test

import "syscall"

func diesWithParent() *syscall.SysProcAttr { return nil }
