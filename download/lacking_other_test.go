//go:build !linux

package download_test

func acquireLacking(...string) {}

func countReads(string, string) {}
