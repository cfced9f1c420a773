// Callback starts a model with a callback of its own: files are fetched before the model
// is, and the program tells when the replica is ready.
//
//	go run ./examples/callback [CONFIG.yaml]
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine/reference"
	"github.com/spinup-llm/spinup/internal/cli"
	"github.com/spinup-llm/spinup/source/gcs"
	"github.com/spinup-llm/spinup/source/s3"
)

// Fetch brings the files at URI to Dir, before the model's own. Its fields are the
// callback_kwargs of the configuration.
type Fetch struct {
	spinup.NopCallback // every hook that is not overridden does nothing

	URI string `yaml:"uri"`
	Dir string `yaml:"dir"`
}

// OnBeforeDownloadModelFilesDistributed runs once per node, before the first byte of the
// model is fetched.
func (f *Fetch) OnBeforeDownloadModelFilesDistributed(ctx context.Context, s *spinup.ReplicaState) error {
	src, err := s.Sources.Open(ctx, f.URI) // with the credentials of the configuration
	if err != nil {
		return err
	}
	if f.Dir == "" {
		if f.Dir, err = os.MkdirTemp("", "callback-"); err != nil {
			return err
		}
		defer os.RemoveAll(f.Dir) //nolint:errcheck // a temporary folder
	}
	man, err := s.Downloads.Fetch(ctx, src, f.Dir)
	if err != nil {
		return fmt.Errorf("fetching %s: %w", f.URI, err)
	}
	s.Values["bytes"] = man.Size() // for the hooks that follow
	return nil
}

// OnReady runs when the replica serves.
func (f *Fetch) OnReady(_ context.Context, s *spinup.ReplicaState) error {
	fmt.Printf("%s is ready; %v bytes were fetched before the model\n", s.ReplicaID, s.Values["bytes"])
	return nil
}

func main() {
	reference.Main() // becomes the engine when the program is started as one

	spinup.RegisterCallback("Fetch", func(f Fetch) (spinup.Callback, error) { return &f, nil })
	os.Exit(cli.Main(false, run))
}

// run brings the configuration up once and takes it down again.
func run(ctx context.Context, args []string) error {
	files, err := cli.Parse(cli.Flags("callback [CONFIG.yaml]"), args, min(1, len(args)))
	if err != nil {
		return err
	}
	config := "examples/callback/config.yaml"
	if len(files) > 0 {
		config = files[0]
	}
	f, err := cli.Open(config)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	apps, err := spinup.Load(f.Name(), f)
	if err != nil {
		return err // every problem, each with line and column
	}
	for _, app := range apps {
		for _, w := range app.Warnings {
			fmt.Fprintln(os.Stderr, "warning:", w)
		}
	}
	sources := spinup.Sources()
	sources.Handle("s3", s3.Opener(nil))
	sources.Handle("gs", gcs.Opener(nil))
	dep, err := spinup.FromApplications(&spinup.Options{Sources: sources}, apps)
	if err != nil {
		return err
	}
	if err := dep.Start(ctx); err != nil {
		return err
	}
	if err := dep.Ready(ctx); err != nil {
		_ = dep.Stop(context.WithoutCancel(ctx))
		return err
	}
	return dep.Stop(context.WithoutCancel(ctx))
}
