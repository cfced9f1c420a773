package replica

import (
	"cmp"
	"math"
	"time"

	"github.com/spinup-llm/spinup/engine"
)

// Scaling are the parameters of Ray Serve's autoscaling_config, with its meaning: the
// number of replicas follows the requests at replicas and those that wait.
type Scaling struct {
	Min            int           // replicas; 0 allows none while there is no request
	Max            int           // 0 means the larger of 1 and Min
	Initial        int           // brought within Min and Max
	Target         float64       // requests per replica; 0 means 1e9: load does not raise the number
	Interval       time.Duration // between two decisions; 0 means 10s
	LookBack       time.Duration // over which requests are counted; 0 means 30s
	UpscaleDelay   time.Duration // how long more must be needed; 0 means 30s, negative none
	DownscaleDelay time.Duration // how long fewer must do; 0 means 10m, negative none
	ToZeroDelay    time.Duration // the same for the last one; 0 means DownscaleDelay, negative none
	UpFactor       float64       // of the way up, per decision; 0 means 1
	DownFactor     float64       // of the way down, per decision; 0 means 1
	Aggregate      string        // over LookBack: "mean", "max" or "min"; "" means "mean"
	Policy         Policy        // nil means Desired
	_              struct{}
}

// Load is what a scaling decision rests on.
type Load struct {
	Model   string
	Now     time.Time
	Wanted  int     // replicas
	Ready   int     // replicas
	Ongoing float64 // requests at replicas and waiting, over the look-back
	Waiting int     // requests that wait for a replica now, or may not wait and came while none was wanted
	// Engines is what the ready engines say of themselves, where they do. It is asked for
	// only for a Policy of the user's.
	Engines []EngineLoad
}

// EngineLoad is what the engine of a replica says of itself.
type EngineLoad struct {
	Replica string
	engine.Load
}

// A Policy turns a load into the number of replicas that it needs. The bounds and delays of
// Scaling hold for what it returns.
type Policy func(Load) int

func (c *Scaling) withDefaults() Scaling {
	d := *c
	d.Min = max(0, d.Min)
	d.Max = max(cmp.Or(d.Max, 1), d.Min)
	d.Initial = min(max(d.Initial, d.Min), d.Max)
	d.Target = cmp.Or(d.Target, 1e9)
	d.Interval = cmp.Or(d.Interval, 10*time.Second)
	d.LookBack = cmp.Or(d.LookBack, 30*time.Second)
	d.UpscaleDelay = cmp.Or(d.UpscaleDelay, 30*time.Second)
	d.DownscaleDelay = cmp.Or(d.DownscaleDelay, 10*time.Minute)
	d.ToZeroDelay = cmp.Or(d.ToZeroDelay, d.DownscaleDelay)
	d.UpFactor = cmp.Or(d.UpFactor, 1)
	d.DownFactor = cmp.Or(d.DownFactor, 1)
	d.Aggregate = cmp.Or(d.Aggregate, "mean")
	return d
}

// Desired is Ray's default policy, within Min and Max and without its delays. The ratio of
// the requests to those that the ready replicas should have is smoothed by the factors; a
// factor cannot hold the number where fewer would do.
func (c *Scaling) Desired(l Load) int {
	d := c.withDefaults()
	if l.Ready == 0 {
		if l.Ongoing > 0 || l.Waiting > 0 {
			return d.bounded(max(int(math.Ceil(d.UpFactor)), l.Wanted))
		}
		return d.bounded(l.Wanted)
	}
	ready := float64(l.Ready)
	ratio := l.Ongoing / (d.Target * ready)
	smoothed := 1 + (ratio-1)*d.UpFactor
	if ratio < 1 {
		smoothed = 1 - (1-ratio)*d.DownFactor
	}
	n := replicas(ready * smoothed)
	if replicas(ready*ratio) < l.Ready && n == l.Ready {
		n--
	}
	return d.bounded(n)
}

// replicas rounds up. A number beyond all bounds stays one.
func replicas(n float64) int { return int(math.Ceil(min(max(n, 0), 1e9))) }

func (c *Scaling) bounded(n int) int { return min(max(n, c.Min), c.Max) }

// A Trend is how long decisions have pointed in one direction; the zero value is none.
type Trend struct {
	direction int // 1 up, -1 down
	since     time.Time
}

// Decide returns the number of replicas to want from now on: another one only when its
// direction has been the same for the delay. It is pure; the caller keeps the trend. As Ray
// has it, none becomes one at once when a request waits, and only one becomes none.
func (c *Scaling) Decide(l Load, t Trend) (want int, next Trend) {
	d := c.withDefaults()
	desired := d.Desired(l)
	if d.Policy != nil {
		desired = d.bounded(d.Policy(l))
	}
	if l.Wanted == 0 && desired > 0 {
		return desired, Trend{}
	}
	delay := d.UpscaleDelay
	switch {
	case desired == l.Wanted:
		return l.Wanted, Trend{}
	case desired > l.Wanted:
		t = t.toward(1, l.Now)
	case l.Wanted == 1:
		t, delay = t.toward(-1, l.Now), d.ToZeroDelay
	default:
		t, delay, desired = t.toward(-1, l.Now), d.DownscaleDelay, max(1, desired)
	}
	if l.Now.Sub(t.since) < delay {
		return l.Wanted, t
	}
	return desired, Trend{}
}

func (t Trend) toward(direction int, now time.Time) Trend {
	if t.direction == direction {
		return t
	}
	return Trend{direction: direction, since: now}
}
