package engine

// EachLine is fuzzed.
var EachLine = eachLine
