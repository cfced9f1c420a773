package local

// Renames are the ways to name a file on a file system without links.
var Renames = map[string]func(from, to string) error{"rename": renameNew, "claim": claim}
