package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/fakeengine"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func startOn(t *testing.T, l engine.Launcher, opts engine.Options) *engine.Process {
	t.Helper()
	opts.Launcher = l
	p, err := engine.Start(t.Context(), fakeengine.Engine{}, fakeengine.Spec(t), &opts)
	require.NoError(t, err)
	return p
}

func TestOnlyProgressExtendsTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		p := startOn(t, s, engine.Options{ReadyWithin: time.Minute})
		began := time.Now()
		time.Sleep(50 * time.Second)
		s.say("stage load_weights\n")
		time.Sleep(50 * time.Second)
		s.say("\rprogress 1/3\r")
		for range 59 {
			time.Sleep(time.Second)
			s.say("no sign of life, just a line\n")
		}
		require.NoError(t, p.Err())
		go func() { <-s.kills; s.end(137) }()
		<-p.Down()
		require.Equal(t, 160*time.Second, time.Since(began))
		<-p.Done()
		require.ErrorIs(t, p.Err(), lifecycle.Timeout)
		require.ErrorContains(t, p.Err(), "no progress in load_weights for 1m0s")
		require.ErrorContains(t, p.Err(), "last output: ")
		require.ErrorContains(t, p.Err(), "just a line")
	})
}

func TestStopSignalThenKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		p := startOn(t, s, engine.Options{StopWithin: 20 * time.Second})
		began := time.Now()
		go func() { <-s.kills; s.end(137) }()
		require.NoError(t, p.Stop(t.Context()))
		require.Equal(t, syscall.SIGTERM, <-s.signals)
		require.Equal(t, 20*time.Second, time.Since(began))
		require.NoError(t, p.Err())
	})
}

func TestWhatOutlivesTheKillIsAnError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		p := startOn(t, s, engine.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := p.Stop(ctx)
		require.ErrorIs(t, err, lifecycle.Timeout)
		require.NotEmpty(t, slices.Collect(lifecycle.Hints(err)))
		s.end(137)
		require.NoError(t, p.Stop(t.Context()), "later nothing is left")
	})
}

func TestVitalDeathIsNamedWithItsCause(t *testing.T) {
	t.Parallel()
	w := watched{newStage(), make(chan engine.Death, 1)}
	p := startOn(t, w, engine.Options{})
	w.lost <- engine.Death{PID: 42, Name: "fake::core", Exit: 137}
	<-w.kills
	w.say("stage load_weights\nerror: the card burns\n") // what was on its way
	w.end(137)
	<-p.Done()
	require.ErrorContains(t, p.Err(), "process fake::core (pid 42) was ended by signal 9 (killed): the card burns")
	require.ErrorContains(t, p.Err(), "do what the fake says")
}

func TestDeathBeforeItsConsequences(t *testing.T) {
	t.Parallel()
	w := watched{newStage(), make(chan engine.Death, 1)}
	w.lost <- engine.Death{PID: 42, Name: "fake::core", Exit: -1}
	w.end(0)
	p := startOn(t, w, engine.Options{})
	<-p.Done()
	require.ErrorContains(t, p.Err(), "process fake::core (pid 42) is gone")
}

func TestEndWithoutAWatcher(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		code int
		err  error
		says string
	}{
		"exit":   {code: 4, says: "exit 4"},
		"exit 0": {code: 0, says: "exit 0"},
		"lost":   {code: -1, err: errors.New("the node has vanished"), says: "the node has vanished"},
	}
	for name, tt := range tests {
		s := newStage()
		s.err = tt.err
		p := startOn(t, s, engine.Options{})
		s.end(tt.code)
		<-p.Done()
		require.ErrorIs(t, p.Err(), lifecycle.EngineFailed, name)
		require.ErrorContains(t, p.Err(), tt.says, name)
	}
}

func TestParserWithoutAnExplanation(t *testing.T) {
	t.Parallel()
	tests := map[int]string{
		0: "exited with code 0", 3: "exited with code 3", -1: "is gone",
		137: "was ended by signal 9 (killed); last output: a | b",
	}
	for code, says := range tests {
		s := newStage()
		quiet := slices.Repeat([]lifecycle.Event{{Stage: lifecycle.StageCompile, Phase: lifecycle.Progress}}, 2)
		p, err := engine.Start(t.Context(), numbered{events: quiet}, fakeengine.Spec(t), &engine.Options{Launcher: s})
		require.NoError(t, err)
		s.say("a\nb\n")
		s.end(code)
		<-p.Done()
		require.ErrorContains(t, p.Err(), "the engine "+says)
		require.NotEmpty(t, slices.Collect(lifecycle.Hints(p.Err())))
	}
}

// Whatever a parser says, one stage and no more is open from the launch to the end.
func TestExactlyOneStageIsOpen(t *testing.T) {
	t.Parallel()
	stages := []lifecycle.Stage{
		lifecycle.StagePreload, lifecycle.StageLoadWeights, lifecycle.StageCompile, lifecycle.StageReady, "own",
	}
	phases := []lifecycle.Phase{lifecycle.Begin, lifecycle.Progress, lifecycle.End, lifecycle.Skip}
	rapid.Check(t, func(rt *rapid.T) {
		events := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) lifecycle.Event {
			return lifecycle.Event{
				Stage: rapid.SampledFrom(stages).Draw(rt, "stage"), Phase: rapid.SampledFrom(phases).Draw(rt, "phase"),
				Done: rapid.Int64Range(0, 9).Draw(rt, "done"), ID: "not the parser's to say",
			}
		}), 0, 12).Draw(rt, "events")
		s := newStage()
		p, err := engine.Start(t.Context(), numbered{events: events}, fakeengine.Spec(t), &engine.Options{Launcher: s})
		require.NoError(rt, err)
		s.say(strings.Repeat("line\n", len(events)))
		s.end(1)
		<-p.Done()
		open := map[string]lifecycle.Stage{}
		all := slices.Collect(p.Events(t.Context()))
		require.Equal(rt, []string{"begin stopped", "end stopped"}, stagesOf(all[len(all)-2:]))
		for i, e := range all[:len(all)-2] {
			switch e.Phase {
			case lifecycle.Begin:
				require.Empty(rt, open, fmt.Sprint(all))
				open[e.ID] = e.Stage
			case lifecycle.End, lifecycle.Fail:
				require.Equal(rt, e.Stage, open[e.ID])
				delete(open, e.ID)
				last := i == len(all)-3
				require.Equal(rt, last, e.Phase == lifecycle.Fail)
				require.True(rt, last || all[i+1].Phase == lifecycle.Begin, "a gap")
			case lifecycle.Progress:
				require.Equal(rt, e.Stage, open[e.ID])
			default: // Skip is a span of its own
			}
			require.NotEqual(rt, lifecycle.StageReady, e.Stage)
		}
		require.Empty(rt, open)
	})
}

func FuzzEachLine(f *testing.F) {
	f.Add([]byte("a\nb\r\nc\r\rd"))
	f.Add([]byte("\xff\x00\n\n\rno end"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var got []string
		engine.EachLine(strings.NewReader(string(in)), func(line []byte) { got = append(got, string(line)) })
		want := strings.FieldsFunc(string(in), func(r rune) bool { return r == '\n' || r == '\r' })
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i][:min(len(want[i]), 64<<10)], got[i])
		}
	})
}

func TestOverlongLinesAreCut(t *testing.T) {
	t.Parallel()
	var got []int
	engine.EachLine(strings.NewReader(strings.Repeat("x", 200<<10)+"\nshort"), func(line []byte) { got = append(got, len(line)) })
	require.Equal(t, []int{64 << 10, 5}, got)
}

// What an engine writes while it serves may come from a client.
func TestAServingEngineIsAskedBeforeItsWordsCount(t *testing.T) {
	t.Parallel()
	logger, log := piped()
	p := ready(t, fakeengine.Spec(t), &engine.Options{Logger: logger})
	closeAfter(p, log)
	told := p.Endpoint().JoinPath("say")
	told.RawQuery = url.Values{"line": {"fatal: the core has gone"}}.Encode()
	require.Equal(t, http.StatusOK, ask(t, http.MethodPost, told))
	line, err := bufio.NewReader(log).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "engine goes on")
	require.NoError(t, p.Err())
	require.NoError(t, log.Close())

	require.Equal(t, http.StatusOK, ask(t, http.MethodPost, p.Endpoint().JoinPath("ail")))
	require.NoError(t, p.Err(), "an answer is for others to judge")
	require.Equal(t, http.StatusOK, ask(t, http.MethodPost, told))
	within(t, 20*time.Second, "end", p.Done())
	require.ErrorIs(t, p.Err(), lifecycle.EngineFailed)
	require.ErrorContains(t, p.Err(), "the core has gone")
}

// One answer that does not come in time is that of a busy engine; a port that nobody has is none.
func TestAServingEngineMayBeSlowToSayThatItIsAlive(t *testing.T) {
	t.Parallel()
	var words atomic.Bool
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if words.Load() && asked.Add(1) == 1 {
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	s := served{newStage(), server.Listener.Addr().String()}
	logger, log := piped()
	p := startOn(t, s, engine.Options{Logger: logger})
	closeAfter(p, log)
	require.NoError(t, p.Ready(t.Context()))
	words.Store(true)
	s.say("fatal: the core has gone\n")
	go func() { <-s.kills; s.end(137) }()
	line, err := bufio.NewReader(log).ReadString('\n')
	require.NoError(t, err, "it was ended")
	require.Contains(t, line, "engine goes on")
	require.NoError(t, p.Err())
	require.NoError(t, log.Close())

	server.Close()
	s.say("fatal: the core has gone\n")
	within(t, 20*time.Second, "end", p.Done())
	require.ErrorContains(t, p.Err(), "the core has gone")
}

// unaskable is an engine that cannot be asked whether it is alive.
type unaskable struct{ fakeengine.Engine }

func (u unaskable) Command(spec engine.Spec) (engine.Command, error) {
	c, err := u.Engine.Command(spec)
	c.AlivePath = "/%" // no URL
	return c, err
}

func TestAServingEngineIsNotAskedForEver(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	server.Config.SetKeepAlivesEnabled(false) // time stands still while a connection is open
	synctest.Test(t, func(t *testing.T) {
		s := served{newStage(), server.Listener.Addr().String()}
		p, err := engine.Start(t.Context(), unaskable{}, fakeengine.Spec(t), &engine.Options{Launcher: s})
		require.NoError(t, err)
		require.NoError(t, p.Ready(t.Context()))
		began := time.Now()
		s.say("fatal: the core has gone\n")
		go func() { <-s.kills; s.end(137) }()
		<-p.Down()
		require.Equal(t, 10*time.Second, time.Since(began))
		<-p.Done()
		require.ErrorContains(t, p.Err(), "the core has gone")
	})
}

// piped returns a logger whose lines wait to be read.
func piped() (*slog.Logger, *io.PipeReader) {
	r, w := io.Pipe()
	return slog.New(slog.NewTextHandler(w, nil)), r
}

// closeAfter ends who reads log when p has ended and says no more.
func closeAfter(p *engine.Process, log *io.PipeReader) {
	go func() {
		<-p.Done()
		_ = log.Close()
	}()
}
