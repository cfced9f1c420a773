//go:build linux

package spinup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/spinup-llm/spinup/replica/local"
	"github.com/stretchr/testify/require"
)

// place is this machine, and counts what is launched as a standby.
type place struct {
	local.Provisioner
	full   bool // for standbys
	deadly bool // to be told what to serve, for standbys

	mu   sync.Mutex
	pids []int // of standbys, in order; 0 for one that there was no room for
}

func (p *place) launched() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.pids)
}

func (p *place) Standby(ctx context.Context, req replica.Request) (replica.Node, error) {
	n, err := p.Provisioner.Standby(ctx, req)
	return placed{n, p}, err
}

type placed struct {
	replica.Node
	of *place
}

func (n placed) Launch(ctx context.Context, cmd engine.Command) (engine.Handle, error) {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if n.of.full {
		n.of.pids = append(n.of.pids, 0)
		return nil, &lifecycle.Error{Op: "place", Kind: lifecycle.EngineFailed, Err: errors.New("too many processes")}
	}
	h, err := n.Node.Launch(ctx, cmd)
	if err != nil {
		return nil, err
	}
	pid, err := strconv.Atoi(h.ID())
	n.of.pids = append(n.of.pids, pid)
	if n.of.deadly {
		h = deadly{h.(engine.Watcher)}
	}
	return h, err
}

// deadly is a process that dies of its input.
type deadly struct{ engine.Watcher }

func (d deadly) Input() io.WriteCloser { return fatal{d.Watcher.Input(), d} }

type fatal struct {
	io.WriteCloser
	to engine.Handle
}

func (f fatal) Write(p []byte) (int, error) { return len(p), f.to.Signal(syscall.SIGKILL) }

// standing is a deployment of one fake replica with a standby; mark finds the processes.
type standing struct {
	*spinup.Deployment
	cfg   *spinup.LLMConfig
	src   *counting
	place *place
	mark  string
}

func stand(t *testing.T, mark string, tune func(*spinup.Options, *spinup.LLMConfig)) *standing {
	t.Helper()
	s := &standing{cfg: tiny(), src: &counting{dir: tinyModel}, place: &place{Provisioner: local.Provisioner{Accelerator: "none"}}, mark: mark}
	o := quiet()
	o.Engines = map[string]engine.Engine{"fake": fakeengine.Early{}}
	o.Sources, o.Cache, o.Provisioner, o.Standbys = s.src.mux(), cache(t), s.place, 1
	s.cfg.LLMEngine, s.cfg.ModelLoadingConfig.ModelSource = "fake", spinup.From("count://model/tiny")
	s.cfg.EngineKwargs.Extra = map[string]any{"modes": mark}
	if tune != nil {
		tune(o, s.cfg)
	}
	s.Deployment = begin(t, o, s.cfg)
	t.Cleanup(func() {
		if t.Failed() {
			_, page := get(t, s.StartupPage(), "/")
			t.Log(page)
		}
		require.NoError(t, s.Stop(context.WithoutCancel(t.Context())))
		require.Zero(t, processesOf(t, mark), "nothing is left")
	})
	require.NoError(t, s.Ready(t.Context()))
	return s
}

// await waits until the standby has done what needs no model.
func (s *standing) await(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Status()[0].Standbys.Ready == 1 }, 5*time.Minute, time.Millisecond)
}

// exit makes the engine of the ready replica id end by itself, and waits for the next one.
func (s *standing) exit(t *testing.T, id, next string) spinup.ReplicaStatus {
	t.Helper()
	awaitSpan(t, s.Deployment, id, lifecycle.StageReady, lifecycle.End)
	url := spans(s.Deployment, id)[lifecycle.StageReady].Message
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/exit?code=3", nil)
	require.NoError(t, err)
	if resp, err := new(http.Client).Do(r); err == nil {
		_ = resp.Body.Close()
	}
	awaitSpan(t, s.Deployment, next, lifecycle.StageReady, lifecycle.End)
	for _, r := range s.Status()[0].Replicas {
		if r.ID == next {
			return r
		}
	}
	require.Fail(t, "no such replica", next)
	return spinup.ReplicaStatus{}
}

// awaitSpan returns the first event of a replica's, or standby's, stage and phase.
func awaitSpan(t *testing.T, d *spinup.Deployment, id string, stage lifecycle.Stage, phase lifecycle.Phase) lifecycle.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for e := range d.Events(ctx) {
		if e.Replica == id && e.Stage == stage && e.Phase == phase {
			return e
		}
	}
	require.Fail(t, "no such event", "%s %s of %s", phase, stage, id)
	return lifecycle.Event{}
}

// spans are those of a replica or standby, the last of each stage.
func spans(d *spinup.Deployment, id string) map[lifecycle.Stage]lifecycle.Span {
	all := map[lifecycle.Stage]lifecycle.Span{}
	for s := range d.Timeline().All() {
		if s.Replica == id {
			all[s.Stage] = s
		}
	}
	return all
}

func TestAReplacementComesFromAStandby(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-standby", nil)
	s.await(t)
	require.Equal(t, 2, processesOf(t, s.mark), "the replica and the standby")
	require.False(t, s.Status()[0].Replicas[0].Standby)
	require.True(t, s.exit(t, "tiny#1", "tiny#2").Standby)

	preload := spans(s.Deployment, "tiny#2")[lifecycle.StagePreload]
	require.True(t, preload.Skipped)
	require.Equal(t, "done by tiny#standby1", preload.Message)
	for span := range s.Timeline().CriticalPath("tiny#2") {
		require.NotEqual(t, lifecycle.StagePreload, span.Stage)
	}
	require.Equal(t, "taken by tiny#2", spans(s.Deployment, "tiny#standby1")[spinup.StageStandby].Message)
	require.EqualValues(t, 1, s.src.resolves.Load(), "the files are there")

	s.await(t)
	last := spans(s.Deployment, "tiny#2")[lifecycle.StageWarmup] // the mark of ready may come a little later
	require.False(t, last.End.IsZero())
	require.False(t, spans(s.Deployment, "tiny#standby2")[spinup.StageStandby].Start.Before(last.End), "it does not compete with the start")
	require.Equal(t, 2, processesOf(t, s.mark))
	_, page := get(t, s.StartupPage(), "/")
	require.Contains(t, page, "1 of 1 standbys ready\n")
}

func TestStandbysStayWhenAModelIsScaledToZero(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-zero", nil)
	s.await(t)
	require.NoError(t, s.Scale("tiny", 0))
	awaitSpan(t, s.Deployment, "tiny#1", lifecycle.StageStopped, lifecycle.End)
	require.Equal(t, 1, s.Status()[0].Standbys.Ready)
	require.NoError(t, s.Scale("tiny", 1))
	awaitSpan(t, s.Deployment, "tiny#2", lifecycle.StageReady, lifecycle.End)
	require.Contains(t, spans(s.Deployment, "tiny#2")[lifecycle.StagePreload].Message, "done by tiny#standby1")
}

// A start that comes too soon goes on with what the standby has begun.
func TestAStandbyMayBeTakenBeforeItIsReady(t *testing.T) {
	t.Parallel()
	s := stand(t, "early-slow,mark-of-soon", nil)
	s.explains(t, func(n int, id, next string) {
		require.Eventually(t, func() bool { return s.Status()[0].Standbys.Starting == 1 }, 30*time.Second, time.Millisecond)
		require.True(t, s.exit(t, id, next).Standby)
		preload := spans(s.Deployment, next)[lifecycle.StagePreload]
		require.False(t, preload.Skipped)
		require.Equal(t, fmt.Sprint("begun by tiny#standby", n), preload.Message)
	})
}

// explains replaces the replica until the timeline explains a start but for 2 %, and 10 ms: on a
// busy machine a goroutine may wait longer than that to run.
func (s *standing) explains(t *testing.T, replace func(n int, id, next string)) {
	t.Helper()
	for n := 1; ; n++ {
		next := fmt.Sprint("tiny#", n+1)
		replace(n, fmt.Sprint("tiny#", n), next)
		lost, limit := s.Timeline().Unattributed(next), s.Timeline().Startup(next)/50+10*time.Millisecond
		if lost < limit {
			return
		}
		require.Less(t, n, 5, "%v of no stage, want less than %v", lost, limit)
	}
}

func TestAnUpdateTakesStandbysThatFit(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-update", nil)
	s.await(t)
	same := *s.cfg
	same.DeploymentConfig.MaxOngoingRequests = 7
	require.NoError(t, s.Update(t.Context(), &same))
	require.True(t, s.Status()[0].Replicas[0].Standby, "what it imports has not changed")
	s.await(t)

	other := same
	other.RuntimeEnv.EnvVars = lifecycle.EnvVars{"OTHER": "canary-77"}
	require.NoError(t, s.Update(t.Context(), &other))
	require.False(t, s.Status()[0].Replicas[0].Standby)
	awaitSpan(t, s.Deployment, "tiny#standby2", spinup.StageStandby, lifecycle.End)
	require.Equal(t, "the configuration has changed", spans(s.Deployment, "tiny#standby2")[spinup.StageStandby].Message)
	awaitSpan(t, s.Deployment, "tiny#standby3", lifecycle.StagePreload, lifecycle.End)
	s.await(t)
	require.True(t, s.exit(t, "tiny#3", "tiny#4").Standby, "a new one has the new environment")
	for _, e := range slices.Collect(s.Timeline().All()) {
		require.NotContains(t, e.Message, "canary-77")
	}
}

func TestAStandbyThatDiesIsReplaced(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-death", nil)
	s.await(t)
	require.NoError(t, syscall.Kill(s.place.launched()[0], syscall.SIGKILL))
	failed := awaitSpan(t, s.Deployment, "tiny#standby1", spinup.StageStandby, lifecycle.Fail)
	require.ErrorIs(t, failed.Err, lifecycle.EngineFailed)
	s.await(t)
	require.Equal(t, 1, s.Status()[0].Ready, "no replica minds")
	require.True(t, s.exit(t, "tiny#1", "tiny#2").Standby)
}

// What fails again and again is tried with pauses, told once, and no replica minds.
func TestStandbysThatFailAreNoStorm(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-storm", func(o *spinup.Options, _ *spinup.LLMConfig) { o.Provisioner.(*place).full = true })
	require.Eventually(t, func() bool { return len(s.place.launched()) >= 2 }, 30*time.Second, 10*time.Millisecond)
	require.Less(t, len(s.place.launched()), 4)
	require.Contains(t, s.Status()[0].Standbys.Error, "too many processes")
	require.False(t, s.exit(t, "tiny#1", "tiny#2").Standby)
	told := 0
	for span := range s.Timeline().All() {
		if span.Stage == spinup.StageStandby {
			told++
		}
	}
	require.Equal(t, 1, told)
}

// The reference engine needs none: the next one serves at once.
func TestTheReferenceEngineServesAgain(t *testing.T) {
	t.Parallel()
	d := begin(t, quiet(), tiny())
	require.NoError(t, d.Ready(t.Context()))
	begun := time.Now()
	require.NoError(t, syscall.Kill(engines(t, d)[0], syscall.SIGKILL))
	code, body := chat(t, d.Handler(), "", "tiny")
	require.Equal(t, http.StatusOK, code, body)
	t.Logf("killed: served again after %v", time.Since(begun).Round(time.Millisecond))
	require.Equal(t, 1, d.Status()[0].Replicas[0].Restarts)
}

// An engine that imports nothing has no standbys, which is said once.
func TestEnginesThatImportNothingHaveNoStandbys(t *testing.T) {
	t.Parallel()
	o := quiet()
	o.Standbys = 2
	d := begin(t, o, tiny())
	require.NoError(t, d.Ready(t.Context()))
	said := awaitEvent(t, d, spinup.StageStandby, lifecycle.Skip)
	require.Equal(t, "reference has nothing to do ahead of the model", said.Message)
	require.Equal(t, &spinup.StandbyStatus{Wanted: 2, Error: said.Message}, d.Status()[0].Standbys)
}

// A standby that dies after it was told what to serve fails no start.
func TestAStandbyMayDieOnItsWay(t *testing.T) {
	t.Parallel()
	s := stand(t, "mark-of-the-way", func(o *spinup.Options, _ *spinup.LLMConfig) { o.Provisioner.(*place).deadly = true })
	s.explains(t, func(_ int, id, next string) {
		s.await(t)
		require.NoError(t, s.Scale("tiny", 0))
		awaitSpan(t, s.Deployment, id, lifecycle.StageStopped, lifecycle.End)
		require.NoError(t, s.Scale("tiny", 1))
		awaitSpan(t, s.Deployment, next, lifecycle.StageReady, lifecycle.End)
		told := spans(s.Deployment, next)[spinup.StageStandby]
		require.True(t, told.Skipped)
		require.Contains(t, told.Message, "what was a standby failed, and the engine starts once more without: ")
		require.Contains(t, told.Message, "exit 137")
		require.Zero(t, s.Status()[0].Replicas[0].Restarts, "it is the same start")
		require.False(t, s.Status()[0].Replicas[0].Standby)
	})
}
