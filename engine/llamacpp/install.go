package llamacpp

import "github.com/spinup-llm/spinup/internal/driver"

// PathVariable names the environment variable that points at the llama-server program.
const PathVariable = "SPINUP_LLAMA_SERVER"

const installHint = "install llama.cpp (its packages and releases have llama-server; for Linux on x86-64, internal/setup/llamacpp.sh " +
	"of this project) and name the program in " + PathVariable + ", or put it on PATH"

// find returns the program that Path, SPINUP_LLAMA_SERVER or PATH names, in this order.
func (e Engine) find() (string, error) {
	return driver.Program{
		Op: "llamacpp.Command", Path: e.Path, Field: "llamacpp.Engine.Path", Variable: PathVariable, Name: "llama-server", Hint: installHint,
	}.Find()
}
