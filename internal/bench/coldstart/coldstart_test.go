//go:build linux

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/internal/bench"
	"github.com/spinup-llm/spinup/internal/testenv"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == cageArg {
		if err := cage(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// inCage runs a shell's script in a cage, which ends with the returned input.
func inCage(t *testing.T, script string) (cage *exec.Cmd, end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], cageArg, "sh", "-c", script)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, func() {
		require.NoError(t, in.Close())
		require.NoError(t, cmd.Wait())
	}
}

// What has left the command's session and lost its parent is counted, and ends.
func TestCageHoldsOrphans(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	cmd, end := inCage(t, `setsid sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 60 & echo $! >`+file+`' & sleep 60`)
	var pid int
	require.Eventually(t, func() bool {
		data, err := os.ReadFile(file)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
		return err == nil && pid > 0
	}, 30*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return bench.TreeCPU(cmd.Process.Pid) >= 30*time.Millisecond }, 10*time.Second, 10*time.Millisecond)
	end()
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestCageEndsWithItsCommand(t *testing.T) {
	t.Parallel()
	cmd, _ := inCage(t, "sleep 60 & exit 3")
	require.NoError(t, cmd.Wait())
}

func TestCPUBetweenLooks(t *testing.T) {
	t.Parallel()
	t0 := time.Unix(100, 0)
	looks := []look{{t0, 0}, {t0.Add(time.Second), 2}, {t0.Add(2 * time.Second), 3}}
	for after, want := range map[time.Duration]float64{-time.Second: 0, 0: 0, 500 * time.Millisecond: 1, time.Second: 2, 1250 * time.Millisecond: 2.25, time.Hour: 3} {
		require.InDelta(t, want, cpuAt(looks, t0.Add(after)), 1e-9, after)
	}
}

// The pages of a deployment say what the report needs.
func TestReadsTheTimeline(t *testing.T) {
	t.Parallel()
	log := lifecycle.NewLog()
	now := time.Unix(1000, 0)
	for id, at := range map[string][2]int{"preload": {0, 7}, "download": {1, 3}, "engine_config": {7, 9}} {
		log.Append(lifecycle.Event{Time: now.Add(time.Duration(at[0]) * time.Second), Replica: "m#1", ID: id, Stage: lifecycle.Stage(id), Phase: lifecycle.Begin})
		log.Append(lifecycle.Event{Time: now.Add(time.Duration(at[1]) * time.Second), Replica: "m#1", ID: id, Stage: lifecycle.Stage(id), Phase: lifecycle.End})
	}
	log.Close()
	line := lifecycle.TimelineOf(log.All(t.Context()))
	trace, err := line.MarshalJSON()
	require.NoError(t, err)
	at, err := togetherAt(trace)
	require.NoError(t, err)
	require.Equal(t, now.Add(7*time.Second), at)
	_, err = togetherAt([]byte(`{"traceEvents":[]}`))
	require.Error(t, err)

	var page bytes.Buffer
	_, err = line.WriteTo(&page)
	require.NoError(t, err)
	m := summary.FindStringSubmatch(page.String())
	require.Equal(t, []string{"9.000", "0.0", "preload 7.000 → engine_config 2.000"}, m[1:])
}

func TestFlags(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-peers", "", "-caches", "warm"})
	require.NoError(t, err)
	require.Equal(t, []string{"warm"}, o.caches)
	require.Empty(t, o.peers)
	for _, wrong := range []string{"-peers=sglang", "-models=huge", "-caches=hot", "-n=0"} {
		_, err := parse([]string{wrong})
		require.Error(t, err, wrong)
	}
}

// The whole of it, with the real parts, but for the peers.
func TestRealColdStart(t *testing.T) {
	t.Parallel()
	testenv.VLLM(t)
	below := strconv.Itoa(20000 + rand.IntN(10000)) // where no connection gets its port from
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+below)
	require.NoError(t, err)
	require.NoError(t, free.Close())
	o, err := parse([]string{"-peers", "", "-models", "tiny", "-caches", "cold", "-n", "1", "-addr", free.Addr().String()})
	require.NoError(t, err)
	var out bytes.Buffer
	l, err := newLab(t.Context(), o, &report{bench.Report{Out: &out, Now: &out}})
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(l.work)) }()
	require.NoError(t, l.measure(t.Context(), "tiny"))
	t.Log(out.String())
	share := regexp.MustCompile(`unattributed ([\d.]+) %`).FindStringSubmatch(out.String())
	require.Len(t, share, 2)
	percent, err := strconv.ParseFloat(share[1], 64)
	require.NoError(t, err)
	require.Less(t, percent, 20.0, "a missing stage is more")
}

func TestPredict(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, predict(nil, &out))
	require.Contains(t, out.String(), "70B, 4 × H100")
	require.Error(t, predict([]string{"-log", "x"}, &out), "it has to know the model")
}
