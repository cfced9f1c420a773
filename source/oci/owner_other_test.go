//go:build !linux

package oci_test

import "syscall"

func diesWithParent() *syscall.SysProcAttr { return nil }
