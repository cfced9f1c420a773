package replica_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func named(inflight ...int) []replica.Replica {
	out := make([]replica.Replica, len(inflight))
	for i, n := range inflight {
		out[i] = replica.Replica{ID: fmt.Sprintf("m#%d", i+1), Inflight: n}
	}
	return out
}

func TestPickersStayWithinTheirChoice(t *testing.T) {
	t.Parallel()
	pickers := map[string]replica.Picker{
		"least of two": replica.LeastOfTwo, "round robin": replica.RoundRobin(),
		"session": replica.SessionAffinity("S", nil), "prefix": replica.NewPrefixAffinity(nil).Pick,
	}
	for name, pick := range pickers {
		rapid.Check(t, func(t *rapid.T) {
			from := named(rapid.SliceOfN(rapid.IntRange(0, 9), 1, 20).Draw(t, "load")...)
			p := replica.Pick{Body: []byte(rapid.String().Draw(t, "body")), Header: http.Header{"S": {rapid.String().Draw(t, "session")}}}
			if i := pick(p, from); i < 0 || i >= len(from) {
				t.Fatalf("%s: %d of %d", name, i, len(from))
			}
		})
	}
}

func TestLeastOfTwoAvoidsTheBusiest(t *testing.T) {
	t.Parallel()
	counts := map[int]int{}
	for range 3000 {
		counts[replica.LeastOfTwo(replica.Pick{}, named(5, 1, 3))]++
	}
	require.Zero(t, counts[0], "whoever it is compared with has less")
	require.Greater(t, counts[1], counts[2])
	require.Positive(t, counts[2])
}

func TestRoundRobinTakesTurns(t *testing.T) {
	t.Parallel()
	pick := replica.RoundRobin()
	var got []int
	for range 6 {
		got = append(got, pick(replica.Pick{}, named(9, 0, 0)))
	}
	require.Equal(t, []int{0, 1, 2, 0, 1, 2}, got)
}

func TestSessionsStayAndOnlyThoseOfTheLostMove(t *testing.T) {
	t.Parallel()
	pick := replica.SessionAffinity("X-Session", nil)
	at := func(session int, from []replica.Replica) string {
		return from[pick(replica.Pick{Header: http.Header{"X-Session": {fmt.Sprint(session)}}}, from)].ID
	}
	all := named(0, 0, 0, 0)
	rest := slices.Delete(slices.Clone(all), 1, 2)
	used := map[string]int{}
	for s := range 1000 {
		first := at(s, all)
		used[first]++
		require.Equal(t, first, at(s, all))
		if first != "m#2" {
			require.Equal(t, first, at(s, rest))
		}
	}
	require.Len(t, used, 4)
	require.Greater(t, slices.Min(slices.Collect(maps.Values(used))), 150)
}

// cache is a replica's KV cache: the blocks that it used last.
type cache struct {
	used  map[string]int
	clock int
}

const cacheBlocks = 1500

// serve takes a prompt and returns how many of its bytes were there.
func (c *cache) serve(prompt string) (hit int) {
	counting := true
	for end := 128; end <= len(prompt); end += 128 {
		key := prompt[:end]
		if _, ok := c.used[key]; ok && counting {
			hit = end
		} else {
			counting = false
		}
		c.clock++
		c.used[key] = c.clock
	}
	for len(c.used) > cacheBlocks {
		oldest, at := "", c.clock+1
		for k, n := range c.used {
			if n < at {
				oldest, at = k, n
			}
		}
		delete(c.used, oldest)
	}
	return hit
}

// replay runs conversations of six turns, forty of them interleaved, against four replicas
// and returns the share of the prompts' bytes that were in the cache, and the imbalance: the
// requests of the busiest replica over the mean.
func replay(pick replica.Picker) (hit, imbalance float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	system := strings.Repeat("You are helpful. ", 30)
	from := named(0, 0, 0, 0)
	caches, served := make([]cache, len(from)), make([]int, len(from))
	for i := range caches {
		caches[i].used = map[string]int{}
	}
	talks := make([]string, 40)
	turns := make([]int, len(talks))
	bytes, hits, requests := 0, 0, 0
	for range 1200 {
		k := rng.IntN(len(talks))
		if turns[k]%6 == 0 {
			talks[k] = `{"model":"m","messages":[{"role":"system","content":"` + system + `"},`
		}
		turns[k]++
		word := fmt.Sprintf("talk %d says %d. ", k, rng.IntN(1000))
		talks[k] += `{"role":"user","content":"` + strings.Repeat(word, 20) + `"},`
		for i := range from { // what runs meanwhile
			from[i].Inflight = rng.IntN(3)
		}
		i := pick(replica.Pick{Body: []byte(talks[k])}, from)
		served[i]++
		requests++
		bytes += len(talks[k])
		hits += caches[i].serve(talks[k])
	}
	return float64(hits) / float64(bytes), float64(slices.Max(served)*len(from)) / float64(requests)
}

func TestPrefixAffinityHitsTheCache(t *testing.T) {
	t.Parallel()
	base, even := replay(replica.LeastOfTwo)
	affinity := replica.NewPrefixAffinity(nil)
	hit, uneven := replay(affinity.Pick)
	t.Logf("multi-turn trace, 4 replicas: hit rate %.1f %% with prefix affinity, %.1f %% with least of two; busiest replica %.2f and %.2f × the mean",
		100*hit, 100*base, uneven, even)
	require.Greater(t, hit, base*1.2)
	require.Less(t, uneven, 1.5, "a system prompt that all share must not lead them all to one replica")
	s := affinity.Stats()
	require.Equal(t, 1200, s.Requests)
	require.InDelta(t, hit, float64(s.Matched)/float64(s.Bytes), 0.2, "what it believes is about true")
}

func TestPrefixAffinityIsBounded(t *testing.T) {
	t.Parallel()
	a := replica.NewPrefixAffinity(&replica.PrefixOptions{Blocks: 1000})
	for i := range 500 {
		a.Pick(replica.Pick{Body: []byte(strings.Repeat(fmt.Sprint("prompt ", i), 300))}, named(0, 0))
		require.LessOrEqual(t, a.Stats().Blocks, 1001)
	}
}

func TestPrefixAffinityAvoidsTheCrowd(t *testing.T) {
	t.Parallel()
	a := replica.NewPrefixAffinity(&replica.PrefixOptions{Imbalance: 4})
	p := replica.Pick{Body: []byte(strings.Repeat("the same prompt", 100))}
	first := a.Pick(p, named(0, 0))
	for range 20 {
		require.Equal(t, first, a.Pick(p, named(3, 3)))
	}
	crowd := named(0, 0)
	crowd[first].Inflight = 5
	require.NotEqual(t, first, a.Pick(p, crowd))
}
