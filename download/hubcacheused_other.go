//go:build !linux

package download

import (
	"io/fs"
	"time"
)

func accessed(info fs.FileInfo) time.Time { return info.ModTime() }
