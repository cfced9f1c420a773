//go:build !linux

package vllm

// memoryLimit is not known here.
func memoryLimit() int64 { return 0 }

// sharedMemory is not known here.
func sharedMemory() (int64, bool) { return 0, false }
