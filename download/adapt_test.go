package download_test

import (
	"io"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const kb = 1000

func TestRangesInFlightFollowTheLink(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		link        *link
		least, most int
	}{
		"each connection is limited": {&link{each: 200 * kb}, 64, 64},
		"the link is limited":        {&link{each: 1000 * kb, total: 1000 * kb}, 8, 32},
		"both":                       {&link{each: 200 * kb, total: 5000 * kb}, 25, 64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newMemory(map[string][]byte{"weights": random(1, 48*mib)}, "crc64nvme")
				src.fault = tt.link.faults(src)
				_, err := (&download.Manager{PartSize: mib / 4, Budget: &download.Budget{Connections: 64}}).Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(48*mib), src.served)
				require.GreaterOrEqual(t, tt.link.most, tt.least)
				require.LessOrEqual(t, tt.link.most, tt.most)
			})
		})
	}
}

// The next range is asked for when an answer takes as long as the rest of the one before, so that
// the link has something to do meanwhile; not of a service that has said that it is too much.
func TestTheNextRangeIsAskedForBeforeOneEnds(t *testing.T) {
	t.Parallel()
	for complaint, most := range map[bool]int{false: 8, true: 3} {
		t.Run(strconv.FormatBool(complaint), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newMemory(map[string][]byte{"weights": random(1, 12*mib)}, "sha256")
				l := &link{each: 5 * mib, delay: tick + time.Millisecond}
				var open []int // when a range was asked for, in turn
				src.fault = func(c call) (io.ReadCloser, error) {
					l.mu.Lock()
					open = append(open, l.open)
					first := len(open) == 1
					l.mu.Unlock()
					if l.wait(); first && complaint {
						return nil, &lifecycle.Error{Kind: lifecycle.Throttled}
					}
					return counts{l.body(c.ctx, c.data, 0), src}, nil
				}
				_, err := (&download.Manager{PartSize: mib / 4 * 3}).Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(12*mib), src.served)
				require.Equal(t, make([]int, 8), open[:8])
				require.Equal(t, most, slices.Max(open), "of eight allowed, or of the four that a complaint leaves")
			})
		})
	}
}

func TestRangesInFlightShrinkWhenThrottled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 16*mib)}, "crc64nvme")
		l := &link{each: 100 * kb}
		var mu sync.Mutex
		refused := 0
		src.fault = func(c call) (io.ReadCloser, error) {
			l.mu.Lock()
			open := l.open
			l.mu.Unlock()
			if open >= 3 {
				mu.Lock()
				defer mu.Unlock()
				refused++
				return nil, &lifecycle.Error{Kind: lifecycle.Throttled}
			}
			return counts{l.body(c.ctx, c.data, 0), src}, nil
		}
		_, err := (&download.Manager{PartSize: mib / 4, Budget: &download.Budget{Connections: 64}}).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		requireFiles(t, dir, src.data)
		require.Equal(t, int64(16*mib), src.served)
		require.Less(t, refused, 64, "of 64 ranges; each is refused now and then, and none again and again")
	})
}

// What comes after a range that the service refused for now may wait for it to be hashed.
func TestARangeThatIsGivenBackKeepsItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 16*mib)}, "sha256")
		l := &link{each: mib}
		var mu sync.Mutex
		var asked []int64
		src.fault = func(c call) (io.ReadCloser, error) {
			mu.Lock()
			asked = append(asked, c.off/mib)
			mu.Unlock()
			if c.off == 2*mib && c.try == 1 {
				time.Sleep(100 * time.Millisecond) // until the others are at work
				return nil, &lifecycle.Error{Kind: lifecycle.Throttled}
			}
			return counts{l.body(c.ctx, c.data, 0), src}, nil
		}
		_, err := (&download.Manager{PartSize: mib}).Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		requireFiles(t, dir, src.data)
		again := slices.Index(asked[8:], 2) // of those that are asked for in one moment any may be the first
		require.True(t, again >= 0 && again < 6, "%v", asked)
	})
}

func TestTheLastBytesComeOverSeveralConnections(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"sha256", "crc64nvme", ""} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newMemory(map[string][]byte{"weights": random(1, 40*mib+123)}, algorithm)
				l := &link{each: 2 * mib}
				src.fault = func(c call) (io.ReadCloser, error) {
					speed := 0.0
					if c.off == 0 {
						speed = 200 * kb // faster than the floor
					}
					return counts{l.body(c.ctx, c.data, speed), src}, nil
				}
				start := time.Now()
				_, err := (&download.Manager{PartSize: 64 * mib}).Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(40*mib+123), src.served, "no byte is fetched twice")
				require.Less(t, time.Since(start), 15*time.Second, "8 MiB over the slow one take 42")
			})
		})
	}
}

// One of many connections brings 20 kB/s: the range goes on over another.
func TestATrickleIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, connections := range map[string]int{"among others": 4, "alone": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				src := newMemory(map[string][]byte{"weights": random(1, 24*mib)}, "sha256")
				l := &link{each: mib}
				src.fault = func(c call) (io.ReadCloser, error) {
					speed := 0.0
					if c.off == 0 {
						speed = 20 * kb
					}
					return counts{l.body(c.ctx, c.data, speed), src}, nil
				}
				start := time.Now()
				m := &download.Manager{PartSize: 8 * mib, Budget: &download.Budget{Connections: connections}}
				_, err := m.Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, src.data)
				require.Equal(t, int64(24*mib), src.served, "it goes on at the byte where it was")
				require.Less(t, time.Since(start), time.Minute, "8 MiB at 20 kB/s take seven")
			})
		})
	}
}

func TestALinkThatIsSlowForAllIsNotGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		src := newMemory(map[string][]byte{"weights": random(1, 16*mib)}, "")
		l := &link{each: 20 * kb, total: 100 * kb}
		src.fault = l.faults(src)
		m := &download.Manager{PartSize: 2 * mib, Budget: &download.Budget{Connections: 8}}
		_, err := m.Fetch(t.Context(), src, dir)
		require.NoError(t, err)
		requireFiles(t, dir, src.data)
		require.LessOrEqual(t, src.opens(), 16, "8 ranges, and what the end may be split into")
	})
}

func TestManagersOfOneBudget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		budget := &download.Budget{Connections: 3, BytesPerSecond: mib}
		start := time.Now()
		l := &link{each: 10 * mib}
		var group errgroup.Group
		for _, name := range []string{"a", "b", "c"} {
			src := newMemory(map[string][]byte{"weights": random(1, 4*mib)}, "")
			src.fault = l.faults(src)
			group.Go(func() error {
				m := &download.Manager{Budget: budget, PartSize: mib / 2}
				_, err := m.Fetch(t.Context(), src, filepath.Join(dir, name))
				return err
			})
		}
		require.NoError(t, group.Wait())
		require.Equal(t, 3, l.most)
		require.InDelta(t, 12, time.Since(start).Seconds(), 1, "12 MiB at 1 MiB/s")
	})
}

// A small download does not wait until the large ranges of another are through.
func TestASmallDownloadGetsItsTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &download.Manager{Budget: &download.Budget{Connections: 4}}
		l := &link{each: mib}
		large := newMemory(map[string][]byte{"weights": random(1, 64*mib)}, "sha256")
		large.fault = l.faults(large)
		var group errgroup.Group
		group.Go(func() error {
			_, err := m.Fetch(t.Context(), large, filepath.Join(dir, "large"))
			return err
		})
		time.Sleep(time.Second) // its four ranges are under way, each for eight seconds
		small := newMemory(map[string][]byte{"config.json": random(2, 1000)}, "sha256")
		small.fault = l.faults(small)
		start := time.Now()
		_, err := m.Fetch(t.Context(), small, filepath.Join(dir, "small"))
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second)
		require.NoError(t, group.Wait())
		require.Equal(t, int64(64*mib), large.served, "what was interrupted goes on at the byte")
		require.LessOrEqual(t, l.most, 4)
		requireFiles(t, filepath.Join(dir, "large"), large.data)
	})
}

// Connections of every speed, that break where they like, and ranges that are cut, split and
// given up: the file is right, and no byte is fetched twice.
func TestWhateverConnectionsDo(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				dice := rand.New(rand.NewPCG(seed, 0))
				draw := func(n int) int {
					mu.Lock()
					defer mu.Unlock()
					return dice.IntN(n)
				}
				files := map[string][]byte{"a": random(1, draw(24*mib)), "b": random(2, draw(4*mib))}
				src := newMemory(files, []string{"sha256", "crc32c"}[seed%2])
				l := new(link)
				src.fault = func(c call) (io.ReadCloser, error) {
					speed := math.Pow(10, 4+3*float64(draw(1000))/1000) // 10 kB/s to 10 MB/s
					whole := l.body(c.ctx, c.data, speed)
					if draw(3) > 0 {
						return counts{whole, src}, nil
					}
					cut := io.MultiReader(io.LimitReader(whole, int64(draw(4*mib))), broken{})
					return counts{closing{cut, func() { whole.Close() }}, src}, nil
				}
				_, err := (&download.Manager{PartSize: int64(mib + draw(24*mib))}).Fetch(t.Context(), src, dir)
				require.NoError(t, err)
				requireFiles(t, dir, files)
				require.Equal(t, int64(len(files["a"])+len(files["b"])), src.served)
			})
		})
	}
}
