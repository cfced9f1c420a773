package spinup_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

// waiting is a callback whose hooks end only with their context.
type waiting struct {
	spinup.NopCallback
	begun chan struct{}
}

func (w waiting) OnAfterDownloadModelFilesDistributed(ctx context.Context, _ *spinup.ReplicaState) error {
	close(w.begun)
	<-ctx.Done()
	return ctx.Err()
}

func TestStopReachesAHook(t *testing.T) {
	t.Parallel()
	w := waiting{begun: make(chan struct{})}
	cfg := tiny()
	cfg.CallbackConfig.Instance = w
	d, err := spinup.New(quiet(), cfg)
	require.NoError(t, err)
	require.NoError(t, d.Start(t.Context()))
	<-w.begun
	require.NoError(t, d.Stop(t.Context()))
}

func TestReadyTellsOfTheModelThatFails(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	o := quiet()
	o.Sources = (&counting{dir: tinyModel, hold: hold}).mux()
	slow, bad := tiny(), tiny()
	slow.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	bad.ModelLoadingConfig = spinup.ModelLoadingConfig{ModelID: "bad", ModelSource: spinup.From("./no-such-directory")}
	d := begin(t, o, slow, bad)
	require.ErrorIs(t, d.Ready(t.Context()), lifecycle.NotFound)
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	d, err := spinup.New(quiet(), tiny())
	require.NoError(t, err)
	require.NoError(t, d.Stop(t.Context()))
	require.ErrorIs(t, d.Start(t.Context()), lifecycle.Canceled)
	require.NoError(t, d.Run(t.Context()))
}

func TestRunEndsWithoutAnErrorWhenStoppedWhileStarting(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	defer close(hold)
	o := quiet()
	o.Sources = (&counting{dir: tinyModel, hold: hold}).mux()
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d, err := spinup.New(o, cfg)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(t.Context()) }()
	for e := range d.Events(t.Context()) {
		if e.Stage == lifecycle.StageResolve {
			break
		}
	}
	require.NoError(t, d.Stop(t.Context()))
	require.NoError(t, <-ended)
}

func TestServeEndsWithItsListener(t *testing.T) {
	t.Parallel()
	d, err := spinup.New(quiet(), tiny())
	require.NoError(t, err)
	l, err := spinup.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(t.Context(), l) }()
	require.NoError(t, d.Ready(t.Context()))
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

func TestADownloadThatStandsStillTimesOut(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	o := quiet()
	src := &counting{dir: tinyModel, holdWeights: hold}
	o.Sources, o.Cache = src.mux(), cache(t)
	o.StageLimits = map[lifecycle.Stage]time.Duration{lifecycle.StageDownload: 300 * time.Millisecond}
	cfg := tiny()
	cfg.ModelLoadingConfig.ModelSource = spinup.From("count://model/tiny")
	d := begin(t, o, cfg)
	require.ErrorIs(t, d.Ready(t.Context()), lifecycle.Timeout)
}
