package memory

// GroupLimit is Limit on a machine of total bytes whose file system is root.
var GroupLimit = groupLimit
