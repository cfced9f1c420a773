//go:build race

package reference_test

// raced tells that the race detector is on: computing takes thirty times as long.
const raced = true
