//go:build !linux

package download_test

func acquireLacking(...string) {}
