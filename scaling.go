package spinup

import (
	"cmp"
	"strings"
	"time"

	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/replica"
)

// scaling is the model's autoscaling_config, nil for a fixed number.
func (m *model) scaling() *replica.Scaling {
	d := m.cfg.DeploymentConfig
	auto := d.NumReplicas != nil && *d.NumReplicas == Auto
	a := d.AutoscalingConfig
	switch {
	case a == nil && !auto:
		return nil
	case a == nil:
		a = new(AutoscalingConfig)
	}
	s := &replica.Scaling{
		Min: 1, Max: a.MaxReplicas, Target: a.TargetOngoingRequests,
		Interval: a.MetricsInterval.Duration(), LookBack: a.LookBackPeriod.Duration(),
		UpscaleDelay: delay(a.UpscaleDelay), DownscaleDelay: delay(a.DownscaleDelay), ToZeroDelay: delay(a.DownscaleToZeroDelay),
		UpFactor: a.UpscalingFactor, DownFactor: a.DownscalingFactor, Aggregate: strings.ToLower(a.AggregationFunction),
		Policy: m.opts.ScalePolicy,
	}
	if auto { // Ray's defaults of num_replicas: auto
		s.Max, s.Target = cmp.Or(s.Max, 100), cmp.Or(s.Target, 2)
	}
	if a.MinReplicas != nil {
		s.Min = *a.MinReplicas
	}
	s.Initial = s.Min
	if a.InitialReplicas != nil {
		s.Initial = *a.InitialReplicas
	}
	return s
}

// delay translates "none" and "the default", which a configuration and a replica.Scaling
// write differently.
func delay(s *Seconds) time.Duration {
	switch {
	case s == nil:
		return 0
	case *s == 0:
		return -1
	default:
		return s.Duration()
	}
}

// wanted is the number of replicas at the start.
func (m *model) wanted() int {
	if s := m.scaling(); s != nil {
		return s.Initial
	}
	if n := m.cfg.DeploymentConfig.NumReplicas; n != nil {
		return max(1, int(*n))
	}
	return 1
}

// limits are those of the options with the model's own.
func (m *model) limits() replica.Limits {
	l, d := m.opts.Limits, m.cfg.DeploymentConfig
	l.Ongoing = cmp.Or(d.MaxOngoingRequests, l.Ongoing)
	l.Waiting = cmp.Or(d.MaxQueuedRequests, l.Waiting)
	return l
}

// picker spreads the model's requests.
func (m *model) picker() replica.Picker {
	if m.opts.Pick != nil {
		return m.opts.Pick
	}
	pick, _ := m.cfg.DeploymentConfig.RequestRouterConfig.picker()
	return pick
}

// prefixRouter is Ray's router that looks at the beginning of prompts.
const prefixRouter = "PrefixCacheAffinityRouter"

// name is the last part of the class's.
func (r *RequestRouterConfig) name() string {
	return r.Class[strings.LastIndexAny(r.Class, ".:")+1:]
}

// picker returns nil for the default, and whether the class is known.
func (r *RequestRouterConfig) picker() (pick replica.Picker, known bool) {
	if r == nil {
		return nil, true
	}
	switch r.name() {
	case "", "PowerOfTwoChoicesRequestRouter":
		return nil, true
	case "RoundRobinRouter", "RoundRobinRequestRouter":
		return replica.RoundRobin(), true
	case prefixRouter:
		rate, _ := driver.Number(r.Kwargs["match_rate_threshold"]) // absent is 0
		o := &replica.PrefixOptions{MatchRate: rate}
		if n, ok := driver.Number(r.Kwargs["imbalanced_threshold"]); ok && n > 0 {
			o.Imbalance = int(min(n, 1e9)) // Ray's own default is infinity
		}
		return replica.NewPrefixAffinity(o).Pick, true
	default:
		return nil, false
	}
}
