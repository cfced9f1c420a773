package vllm

// Options reads the options of the installation of a program, in words.
func Options(program string) map[string]string {
	forms := map[optionKind]string{
		scalarOption: "value", boolOption: "bool", switchOption: "switch", optionalOption: "optional",
		listOption: "list", jsonOption: "value", repeatedOption: "value",
	}
	out := map[string]string{}
	for name, kind := range readOptions(packageOf(program)) {
		out[name] = forms[kind]
	}
	return out
}

// ScanOptions and ScanLoaders read sources, whatever they are.
func ScanOptions(src string) int { return len(scanOptions(src)) }

// ScanLoaders returns the file of each load format.
func ScanLoaders(src string) map[string]string { return scanLoaders(src, "") }
