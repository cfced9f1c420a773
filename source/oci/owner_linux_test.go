package oci_test

import "syscall"

// diesWithParent ends the server also when the test is killed.
func diesWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
