package local

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// device is one accelerator.
type device struct {
	id   string // index
	uuid string // "GPU-5f0c…"
	name string // as nvidia-smi says: "NVIDIA H100 80GB HBM3"
}

// parseDevices reads lines of "INDEX, UUID, NAME"; others, such as warnings, are skipped.
func parseDevices(out string) []device {
	var devices []device
	for line := range strings.Lines(out) {
		parts := strings.SplitN(strings.TrimSpace(line), ", ", 3)
		if len(parts) != 3 {
			continue
		}
		if _, err := strconv.Atoi(parts[0]); err == nil {
			devices = append(devices, device{id: parts[0], uuid: parts[1], name: parts[2]})
		}
	}
	return devices
}

// is tells whether nvidia-smi's name is of Ray's accelerator type: every part of the type is
// a word of the name, with or without a final B ("A100-40G" is "NVIDIA A100-SXM4-40GB").
func (d device) is(accelerator string) bool {
	words := strings.FieldsFunc(strings.ToUpper(d.name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	for part := range strings.SplitSeq(strings.ToUpper(accelerator), "-") {
		if part != "" && !slices.Contains(words, part) && !slices.Contains(words, part+"B") {
			return false
		}
	}
	return true
}
