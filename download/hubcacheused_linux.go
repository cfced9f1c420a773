package download

import (
	"io/fs"
	"syscall"
	"time"
)

// accessed returns when a file was last read, as far as the file system notes that.
func accessed(info fs.FileInfo) time.Time {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(s.Atim.Unix())
	}
	return info.ModTime()
}
