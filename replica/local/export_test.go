package local

import (
	"context"
	"time"
)

// ParseDevices opens parseDevices to tests: machines that build this have no accelerator.
func ParseDevices(out string) (ids, names []string) {
	for _, d := range parseDevices(out) {
		ids, names = append(ids, d.id), append(names, d.name)
	}
	return ids, names
}

// Is opens device.is to tests.
func Is(name, accelerator string) bool { return device{name: name}.is(accelerator) }

// Visible opens visible to tests.
func Visible(out, value string, set bool) (ids []string) {
	for _, d := range visible(parseDevices(out), value, set) {
		ids = append(ids, d.id)
	}
	return ids
}

// CoresOf opens coresOf to tests.
func CoresOf(share, n int, cores []int) []int { return coresOf(share, n, cores) }

// Cores opens cores to tests.
func Cores() []int { return cores() }

// Output opens output to tests.
func Output(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	return output(ctx, limit, name, args...)
}
