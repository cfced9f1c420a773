package local

// ParseDevices opens parseDevices to tests: machines that build this have no accelerator.
func ParseDevices(out string) (ids, names []string) {
	for _, d := range parseDevices(out) {
		ids, names = append(ids, d.id), append(names, d.name)
	}
	return ids, names
}

// Is opens device.is to tests.
func Is(name, accelerator string) bool { return device{name: name}.is(accelerator) }
