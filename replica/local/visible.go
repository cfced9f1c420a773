package local

import (
	"slices"
	"strings"
)

// visible leaves the devices that the host's CUDA_VISIBLE_DEVICES leaves, in its order: what
// was given to this process is all that it may give on. As CUDA does, it ends at the first
// entry that names no device. A part of a GPU ("MIG-…"), which nvidia-smi does not list, is taken by its
// id and counts as a device of the machine's type. set is false where the variable is not there at all.
func visible(devices []device, value string, set bool) []device {
	if !set {
		return devices
	}
	var out []device
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if strings.HasPrefix(name, "MIG-") && len(devices) > 0 {
			out = append(out, device{id: name, uuid: name, name: devices[0].name})
			continue
		}
		i := slices.IndexFunc(devices, func(d device) bool {
			return name != "" && (d.id == name || d.uuid != "" && strings.HasPrefix(d.uuid, name))
		})
		if i < 0 || slices.Contains(out, devices[i]) {
			break
		}
		out = append(out, devices[i])
	}
	return out
}
