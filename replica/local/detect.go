package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/spinup-llm/spinup/lifecycle"
)

// smiWithin is how long nvidia-smi may take: seconds where the driver is not held awake, for
// ever where a card hangs.
const smiWithin = 30 * time.Second

var errNoSMI = errors.New("nvidia-smi is missing or failed")

// detect lists the NVIDIA devices of this machine that this process may use. Device files
// without a working nvidia-smi are an error: guessing would put two replicas on one device.
func detect(ctx context.Context) ([]device, error) {
	files, err := filepath.Glob("/dev/nvidia[0-9]*")
	if err != nil || len(files) == 0 {
		return nil, nil //nolint:nilerr // the pattern is right, so no files, no devices
	}
	out, err := output(ctx, smiWithin, "nvidia-smi", "--query-gpu=index,uuid,name", "--format=csv,noheader")
	if err != nil {
		return nil, &lifecycle.Error{
			Op: "local.Acquire", Kind: lifecycle.NoCapacity, Target: files[0], Err: fmt.Errorf("%w: %w", errNoSMI, err),
			Hint: "install the NVIDIA driver's tools, or run on the CPU with -accelerator none",
		}
	}
	value, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	return visible(parseDevices(out), value, set), nil
}

// output runs a command, but not longer than limit. One that cannot be killed, as its driver
// hangs, is left behind.
func output(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // of the package
	cmd.WaitDelay = time.Second
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		out, err := cmd.Output()
		done <- result{out, err}
	}()
	select {
	case r := <-done:
		return string(r.out), r.err
	case <-ctx.Done():
		return "", fmt.Errorf("no answer within %v: %w", limit, ctx.Err())
	}
}
