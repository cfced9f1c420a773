package sglang

// Options are those of the installation behind a program: "value", "bool", "switch" or "list"
// by name.
func (e Engine) Options() map[string]string {
	inst, err := e.find()
	if err != nil {
		return nil
	}
	forms := map[string]string{}
	for name, kind := range readOptions(inst.pkg) {
		forms[name] = [...]string{scalarOption: "value", boolOption: "bool", switchOption: "switch", listOption: "list"}[kind]
	}
	return forms
}
