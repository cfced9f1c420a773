//go:build unix && !linux

package guardian

// A share does not exist here: all get the same.
type share string

const (
	fullShare  share = ""
	smallShare share = ""
)

func (share) take() (again bool) { return false }
