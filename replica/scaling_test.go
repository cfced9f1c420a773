package replica_test

import (
	"math"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestDesiredIsRays follows the arithmetic of Ray Serve 2.60's default policy:
// ceil(running × smoothed ratio), within the bounds.
func TestDesiredIsRays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scaling replica.Scaling
		ready   int
		wanted  int
		ongoing float64
		want    int
	}{
		"as many as should be":               {replica.Scaling{Max: 100, Target: 2}, 5, 5, 10, 5},
		"twice too many":                     {replica.Scaling{Max: 100, Target: 2}, 5, 5, 20, 10},
		"a little too many":                  {replica.Scaling{Max: 100, Target: 2}, 5, 5, 10.1, 6},
		"half":                               {replica.Scaling{Max: 100, Target: 2}, 10, 10, 10, 5},
		"at most max":                        {replica.Scaling{Max: 7, Target: 2}, 5, 5, 1000, 7},
		"at least min":                       {replica.Scaling{Min: 3, Max: 7, Target: 2}, 5, 5, 0, 3},
		"nothing":                            {replica.Scaling{Max: 7, Target: 2}, 5, 5, 0, 0},
		"half of the way up":                 {replica.Scaling{Max: 100, Target: 1, UpFactor: .5}, 10, 10, 20, 15},
		"further than needed":                {replica.Scaling{Max: 100, Target: 1, UpFactor: 2}, 10, 10, 20, 30},
		"a tenth of the way down":            {replica.Scaling{Max: 100, Target: 1, DownFactor: .1}, 100, 100, 50, 95},
		"a factor cannot hold the number":    {replica.Scaling{Max: 100, Target: 1, DownFactor: .01}, 10, 10, 5, 9},
		"but it is held where it is right":   {replica.Scaling{Max: 100, Target: 1, DownFactor: .01}, 10, 10, 9.5, 10},
		"from zero":                          {replica.Scaling{Max: 100, Target: 1}, 0, 0, 50, 1},
		"from zero with a factor":            {replica.Scaling{Max: 100, Target: 1, UpFactor: 2.5}, 0, 0, 1, 3},
		"while the first starts":             {replica.Scaling{Max: 100, Target: 1}, 0, 4, 50, 4},
		"nothing at zero":                    {replica.Scaling{Max: 100, Target: 1}, 0, 0, 0, 0},
		"others are still starting":          {replica.Scaling{Max: 100, Target: 2}, 1, 4, 8, 4},
		"no target: one is always enough":    {replica.Scaling{Max: 100}, 3, 3, 10000, 1},
		"what cannot be counted is bounded":  {replica.Scaling{Max: 100, Target: 1e-300}, 1, 1, 1e300, 100},
		"min above max is min, as validated": {replica.Scaling{Min: 3}, 1, 1, 1, 3},
	} {
		l := replica.Load{Ready: c.ready, Wanted: c.wanted, Ongoing: c.ongoing}
		require.Equal(t, c.want, c.scaling.Desired(l), name)
	}
}

// after decides every second under constant load and returns when the number changed, and to what.
func after(t *testing.T, c replica.Scaling, l replica.Load) (time.Duration, int) {
	t.Helper()
	var trend replica.Trend
	start := time.Unix(0, 0)
	for at := time.Duration(0); at < time.Hour; at += time.Second {
		l.Now = start.Add(at)
		want, next := c.Decide(l, trend)
		if want != l.Wanted {
			return at, want
		}
		trend = next
	}
	return -1, l.Wanted
}

func TestDelays(t *testing.T) {
	t.Parallel()
	base := replica.Scaling{Max: 10, Target: 1, UpscaleDelay: 20 * time.Second, DownscaleDelay: time.Minute, ToZeroDelay: 5 * time.Minute}
	for name, c := range map[string]struct {
		tune func(*replica.Scaling)
		load replica.Load
		at   time.Duration
		want int
	}{
		"up":                             {nil, replica.Load{Ready: 1, Wanted: 1, Ongoing: 4}, 20 * time.Second, 4},
		"down":                           {nil, replica.Load{Ready: 4, Wanted: 4, Ongoing: 2}, time.Minute, 2},
		"down to one first":              {nil, replica.Load{Ready: 4, Wanted: 4}, time.Minute, 1},
		"then to zero":                   {nil, replica.Load{Ready: 1, Wanted: 1}, 5 * time.Minute, 0},
		"from zero at once":              {nil, replica.Load{Waiting: 1}, 0, 1},
		"never":                          {nil, replica.Load{Ready: 1, Wanted: 1, Ongoing: 1}, -1, 1},
		"no delay":                       {func(c *replica.Scaling) { c.UpscaleDelay = -1 }, replica.Load{Ready: 1, Wanted: 1, Ongoing: 4}, 0, 4},
		"defaults up":                    {func(c *replica.Scaling) { c.UpscaleDelay = 0 }, replica.Load{Ready: 1, Wanted: 1, Ongoing: 4}, 30 * time.Second, 4},
		"defaults down":                  {func(c *replica.Scaling) { c.DownscaleDelay = 0 }, replica.Load{Ready: 4, Wanted: 4}, 10 * time.Minute, 1},
		"to zero as down":                {func(c *replica.Scaling) { c.ToZeroDelay = 0 }, replica.Load{Ready: 1, Wanted: 1}, time.Minute, 0},
		"a policy of the user's":         {func(c *replica.Scaling) { c.Policy = func(l replica.Load) int { return l.Ready + 2 } }, replica.Load{Ready: 1, Wanted: 1}, 20 * time.Second, 3},
		"within the bounds all the same": {func(c *replica.Scaling) { c.Policy = func(replica.Load) int { return 99 } }, replica.Load{Ready: 1, Wanted: 1}, 20 * time.Second, 10},
	} {
		scaling := base
		if c.tune != nil {
			c.tune(&scaling)
		}
		at, want := after(t, scaling, c.load)
		require.Equal(t, c.at, at, name)
		require.Equal(t, c.want, want, name)
	}
}

func TestADelayBeginsAgainWhenTheDirectionChanges(t *testing.T) {
	t.Parallel()
	c := replica.Scaling{Max: 10, Target: 1, UpscaleDelay: 20 * time.Second, DownscaleDelay: 20 * time.Second}
	var trend replica.Trend
	start := time.Unix(0, 0)
	for i := range 100 { // 15 s up, 15 s down, …
		ongoing := 9.0
		if i/15%2 == 1 {
			ongoing = 1
		}
		var want int
		want, trend = c.Decide(replica.Load{Now: start.Add(time.Duration(i) * time.Second), Ready: 5, Wanted: 5, Ongoing: ongoing}, trend)
		require.Equal(t, 5, want)
	}
}

func TestDecisionsKeepTheirBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := replica.Scaling{
			Min: rapid.IntRange(0, 5).Draw(t, "min"), Target: rapid.Float64Range(0.01, 100).Draw(t, "target"),
			UpFactor: rapid.Float64Range(0.1, 5).Draw(t, "up"), DownFactor: rapid.Float64Range(0.1, 1).Draw(t, "down"),
			UpscaleDelay: -1, DownscaleDelay: -1,
		}
		c.Max = max(1, c.Min) + rapid.IntRange(0, 3000).Draw(t, "max")
		wanted := rapid.IntRange(c.Min, c.Max).Draw(t, "wanted")
		ongoing := rapid.Float64Range(0, 1e6).Draw(t, "ongoing")
		l := replica.Load{Wanted: wanted, Ready: rapid.IntRange(0, wanted).Draw(t, "ready"), Ongoing: ongoing}
		n := c.Desired(l)
		if n < c.Min || n > c.Max {
			t.Fatalf("%d is out of bounds", n)
		}
		more := l
		more.Ongoing += rapid.Float64Range(0, 1e3).Draw(t, "more")
		if c.Desired(more) < n {
			t.Fatalf("more load, fewer replicas")
		}
		if l.Ready == l.Wanted && c.UpFactor >= 1 && l.Ready > 0 && float64(n) < math.Min(float64(c.Max), ongoing/c.Target)-1e-6 && ongoing/c.Target > float64(l.Ready) {
			t.Fatalf("%d do not do for %v at %v", n, ongoing, c.Target)
		}
		want, _ := c.Decide(l, replica.Trend{})
		if want == 0 && wanted > 1 {
			t.Fatalf("from %d to none at once", wanted)
		}
	})
}

// TestConstantLoadSettles lets the number go where it will and sees it stay there.
func TestConstantLoadSettles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := replica.Scaling{
			Min: 1, Max: 5000, Target: rapid.Float64Range(0.5, 50).Draw(t, "target"), UpscaleDelay: -1, DownscaleDelay: -1,
			UpFactor: rapid.Float64Range(0.2, 1).Draw(t, "up"), DownFactor: rapid.Float64Range(0.2, 1).Draw(t, "down"),
		}
		n := rapid.IntRange(1, 5000).Draw(t, "from")
		ongoing := rapid.Float64Range(0, 5000).Draw(t, "ongoing")
		for range 300 {
			n, _ = c.Decide(replica.Load{Wanted: n, Ready: n, Ongoing: ongoing}, replica.Trend{})
		}
		need := max(1, math.Ceil(ongoing/c.Target-1e-6))
		if again, _ := c.Decide(replica.Load{Wanted: n, Ready: n, Ongoing: ongoing}, replica.Trend{}); again != n || math.Abs(float64(n)-need) > 1 && need < 5000 {
			t.Fatalf("settles at %d, then %d; %v needed", n, again, need)
		}
	})
}

// TestDelaysHoldUnderAnyLoad plays loads of chance, and sees that the number goes up only when
// it has been too small for all of the delay, and down only when it has been too large: two
// changes are as far apart as the delay of the second at least.
func TestDelaysHoldUnderAnyLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.IntRange(1, 60)
		c := replica.Scaling{
			Min: rapid.IntRange(0, 2).Draw(t, "min"), Max: rapid.IntRange(2, 20).Draw(t, "max"), Target: 1,
			UpscaleDelay:   time.Duration(seconds.Draw(t, "up")) * time.Second,
			DownscaleDelay: time.Duration(seconds.Draw(t, "down")) * time.Second,
			ToZeroDelay:    time.Duration(seconds.Draw(t, "to zero")) * time.Second,
		}
		n := rapid.IntRange(c.Min, c.Max).Draw(t, "from")
		var trend replica.Trend
		tooFew, tooMany := time.Duration(-1), time.Duration(-1) // for how long
		for i, ongoing := range rapid.SliceOfN(rapid.Float64Range(0, 25), 1, 200).Draw(t, "load") {
			l := replica.Load{Now: time.Unix(int64(i), 0), Wanted: n, Ready: n, Ongoing: ongoing}
			need := c.Desired(l)
			tooFew, tooMany = longer(need > n, tooFew), longer(need < n, tooMany)
			var want int
			want, trend = c.Decide(l, trend)
			delay := c.DownscaleDelay
			if n == 1 {
				delay = c.ToZeroDelay
			}
			switch {
			case want > n && n > 0 && tooFew < c.UpscaleDelay, want < n && tooMany < delay:
				t.Fatalf("from %d to %d after %v too few, %v too many", n, want, tooFew, tooMany)
			case want != need && want != n && want != 1:
				t.Fatalf("from %d to %d, where %d are needed", n, want, need)
			case want == n && n > 0 && tooFew >= c.UpscaleDelay, want == n && tooMany >= delay && n > 1:
				t.Fatalf("%d for %v too few, %v too many", n, tooFew, tooMany)
			}
			if want != n {
				n, tooFew, tooMany = want, -1, -1
			}
		}
	})
}

// longer is for how long something holds: -1 when it does not.
func longer(holds bool, before time.Duration) time.Duration {
	switch {
	case !holds:
		return -1
	case before < 0:
		return 0
	default:
		return before + time.Second
	}
}
