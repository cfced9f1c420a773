//go:build !linux

package vllm

// sharedMemory is not known here.
func sharedMemory() (int64, bool) { return 0, false }
