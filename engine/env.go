package engine

import (
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// baseKeys are inherited by every engine: what finds programs and libraries, and how to
// reach the network. Proxy variables are read in both cases.
var baseKeys = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE",
}

// BaseEnv returns what every engine inherits of environ, which is os.Environ() or the like:
// PATH, HOME, TMPDIR, LANG, LD_LIBRARY_PATH, proxies and certificate authorities. A driver
// adds its own variables and then Spec.Env.
func BaseEnv(environ []string) lifecycle.EnvVars {
	env := lifecycle.EnvVars{}
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok && slices.Contains(baseKeys, k) {
			env[k] = v
		}
	}
	return env
}

// DeviceEnv is what gives an engine the accelerators of a Spec, by their CUDA indexes or ids, and none
// where there are none: a CUDA build on a processor takes what it sees. Indexes are those of nvidia-smi, which
// CUDA by itself counts in another order where models differ.
func DeviceEnv(devices []string) lifecycle.EnvVars {
	env := lifecycle.EnvVars{"CUDA_VISIBLE_DEVICES": strings.Join(devices, ",")}
	if len(devices) > 0 {
		env["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
	}
	return env
}
