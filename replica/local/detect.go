package local

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/spinup-llm/spinup/lifecycle"
)

// detect lists the NVIDIA devices of this machine. Device files without a working
// nvidia-smi are an error: guessing would put two replicas on one device.
func detect(ctx context.Context) ([]device, error) {
	files, err := filepath.Glob("/dev/nvidia[0-9]*")
	if err != nil || len(files) == 0 {
		return nil, nil //nolint:nilerr // the pattern is right, so no files, no devices
	}
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=index,name", "--format=csv,noheader").Output()
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "local.Acquire", Kind: lifecycle.NoCapacity, Target: files[0], Err: fmt.Errorf("%w: %w", errNoSMI, err),
			Hint: "install the NVIDIA driver's tools, or run on the CPU with -accelerator none",
		}
	}
	return parseDevices(string(out)), nil
}
