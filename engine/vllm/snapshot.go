package vllm

import (
	_ "embed" // for the restorer
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/pysource"
	"github.com/spinup-llm/spinup/lifecycle"
)

// restorer brings a snapshot back and stays as long as that lives.
//
//go:embed restore.py
var restorer string

// snapshotWord begins the restorer's first line.
const snapshotWord = "spinup snapshot: "

var fullCommit = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)

// SnapshotCommand returns the command that makes the snapshot for Engine.Snapshot: it starts
// vLLM as spec says, dumps it from memory and GPU, and ends. vLLM wants the model from the
// hub, by repository and the 40 digits of a commit, and one GPU. Errors are of kind Invalid,
// and NotFound for the program.
func (e Engine) SnapshotCommand(spec engine.Spec, repository, commit string) (engine.Command, error) {
	inst, err := e.find()
	switch {
	case err != nil:
		return engine.Command{}, err
	case e.Snapshot == "":
		return engine.Command{}, snapshotError("", "Engine.Snapshot names no folder", "name one that does not exist yet")
	case !fullCommit.MatchString(commit):
		return engine.Command{}, snapshotError(commit, "a snapshot is of one commit", "give the 40 digits of the commit")
	}
	kwargs, err := normalize(spec)
	if err != nil {
		return engine.Command{}, err
	}
	kwargs["revision"] = commit
	more, err := flags(kwargs, readOptions(inst.pkg))
	args := []string{"snapshot", "create", repository, "--snapshot-dir", e.Snapshot, "--served-model-name", spec.ModelID}
	return engine.Command{Path: inst.path, Args: append(args, more...), Env: snapshotEnvironment(spec, inst)}, errors.Join(err, onOneGPU(spec))
}

// restoreCommand is Command where there is a snapshot.
func (e Engine) restoreCommand(spec engine.Spec, inst install) (engine.Command, error) {
	host, port, err := net.SplitHostPort(spec.Addr)
	python := pysource.Interpreter(inst.path)
	if err == nil && python == "" {
		err = snapshotError(inst.path, "the script names no Python", "name vLLM's own program in Engine.Path")
	}
	return engine.Command{
		Path: python, Args: []string{"-c", restorer, inst.path, e.Snapshot, host, port}, Env: snapshotEnvironment(spec, inst),
	}, err
}

func snapshotError(target, what, hint string) error {
	return &lifecycle.Error{Op: "vllm.Snapshot", Kind: lifecycle.Invalid, Target: target, Err: errors.New(what), Hint: hint}
}

// snapshotEnvironment adds what vLLM's snapshots are told by.
func snapshotEnvironment(spec engine.Spec, inst install) lifecycle.EnvVars {
	env := environment(spec, inst)
	for _, name := range []string{"CRIU_CUDA_PLUGIN_DIR", "VLLM_SNAPSHOT_TIMEOUT_S"} {
		if v := os.Getenv(name); v != "" && spec.Env[name] == "" {
			env[name] = v
		}
	}
	return env
}

func onOneGPU(spec engine.Spec) error {
	if len(spec.Devices) == 1 && ranks(spec.Kwargs) == 1 {
		return nil
	}
	return snapshotError("Engine.Snapshot", "snapshots are of an engine on one NVIDIA GPU", "leave Engine.Snapshot out")
}

// snapshot holds the folder and the machine against what a restore needs. Whether the two fit
// each other is vLLM's to say.
func (e Engine) checkSnapshot(spec engine.Spec) error {
	if e.Snapshot == "" {
		return nil
	}
	if err := onOneGPU(spec); err != nil {
		return err
	}
	var problems []error
	for _, tool := range []string{"criu", "cuda-checkpoint", "nvidia-smi"} {
		if _, err := exec.LookPath(tool); err != nil {
			problems = append(problems, &lifecycle.Error{
				Op: "vllm.Snapshot", Kind: lifecycle.NotFound, Target: tool, Err: err, Hint: "install it and put it on PATH",
			})
		}
	}
	if spec.Env["CRIU_CUDA_PLUGIN_DIR"] == "" && os.Getenv("CRIU_CUDA_PLUGIN_DIR") == "" {
		problems = append(problems, snapshotError("CRIU_CUDA_PLUGIN_DIR", "it is not set", "set it to the folder of CRIU's cuda_plugin.so"))
	}
	return errors.Join(append(problems, e.checkManifest(spec))...)
}

func (e Engine) checkManifest(spec engine.Spec) error {
	path := filepath.Join(e.Snapshot, "manifest.json")
	data, err := os.ReadFile(path) //nolint:gosec // the folder is the user's choice
	if err != nil {
		return &lifecycle.Error{
			Op: "vllm.Snapshot", Kind: lifecycle.NotFound, Target: path, Err: err,
			Hint: "make the snapshot with the command of Engine.SnapshotCommand",
		}
	}
	var manifest struct {
		Model string
		Name  string `json:"served_model_name"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil {
		return &lifecycle.Error{Op: "vllm.Snapshot", Kind: lifecycle.Corrupt, Target: path, Err: err, Hint: "make the snapshot anew"}
	}
	if manifest.Name != spec.ModelID {
		return snapshotError(path, fmt.Sprintf("it is of %q (%s), not of %q", manifest.Name, manifest.Model, spec.ModelID),
			"name the snapshot of this model, or give it this model_id")
	}
	return nil
}

// restoring takes the restorer's word.
func (p *parser) restoring(said string) []lifecycle.Event {
	return []lifecycle.Event{{
		Stage: lifecycle.StageLoadWeights, Phase: lifecycle.Begin, Time: p.now(), Message: "restores " + strings.TrimSpace(said),
	}}
}
