package spinup

import (
	"errors"
	"strconv"
	"time"
)

// DeploymentConfig is about replicas.
type DeploymentConfig struct {
	AutoscalingConfig   *AutoscalingConfig   `yaml:"autoscaling_config"`
	NumReplicas         *NumReplicas         `yaml:"num_replicas"`         // nil means 1, or Auto with an AutoscalingConfig
	MaxOngoingRequests  int                  `yaml:"max_ongoing_requests"` // per replica, more of them wait; 0 means no limit
	MaxQueuedRequests   int                  `yaml:"max_queued_requests"`  // that wait for a replica; 0 means [Options].Limits', -1 no limit
	RequestRouterConfig *RequestRouterConfig `yaml:"request_router_config"`
	Extra               map[string]any       `yaml:",inline"` // Ray's other fields, accepted with a warning
}

// RequestRouterConfig chooses how requests are spread. [Options].Pick wins over it.
type RequestRouterConfig struct {
	// Class is a router of Ray's by the last part of its name: PowerOfTwoChoicesRequestRouter,
	// PrefixCacheAffinityRouter or RoundRobinRouter; "" means the first. Others are accepted
	// with a warning and mean the first too.
	Class  string         `yaml:"request_router_class"`
	Kwargs map[string]any `yaml:"request_router_kwargs"` // match_rate_threshold and imbalanced_threshold, of the prefixes' router
	Extra  map[string]any `yaml:",inline"`               // Ray's other fields, accepted with a warning
}

// NumReplicas is a count, or Auto.
type NumReplicas int

// Auto lets AutoscalingConfig decide.
const Auto NumReplicas = -1

// UnmarshalText accepts a count or "auto".
func (n *NumReplicas) UnmarshalText(b []byte) error {
	if string(b) == "auto" {
		*n = Auto
		return nil
	}
	i, err := strconv.Atoi(string(b))
	if err != nil || i < 0 {
		return errors.New(`want a count or "auto"`)
	}
	*n = NumReplicas(i)
	return nil
}

// AutoscalingConfig bounds and tunes the number of replicas.
type AutoscalingConfig struct {
	MinReplicas           *int     `yaml:"min_replicas"`              // nil means 1; 0 allows scaling to zero
	InitialReplicas       *int     `yaml:"initial_replicas"`          // nil means MinReplicas
	MaxReplicas           int      `yaml:"max_replicas"`              // 0 means 1, and 100 with Auto
	TargetOngoingRequests float64  `yaml:"target_ongoing_requests"`   // per replica; 0 means 1e9, so load adds none, and 2 with Auto
	MetricsInterval       Seconds  `yaml:"metrics_interval_s"`        // 0 means 10
	LookBackPeriod        Seconds  `yaml:"look_back_period_s"`        // 0 means 30
	UpscaleDelay          *Seconds `yaml:"upscale_delay_s"`           // nil means 30
	DownscaleDelay        *Seconds `yaml:"downscale_delay_s"`         // nil means 600
	DownscaleToZeroDelay  *Seconds `yaml:"downscale_to_zero_delay_s"` // nil means DownscaleDelay
	UpscalingFactor       float64  `yaml:"upscaling_factor"`          // 0 means 1
	DownscalingFactor     float64  `yaml:"downscaling_factor"`        // 0 means 1
	AggregationFunction   string   `yaml:"aggregation_function"`      // "mean", "max" or "min"; "" means "mean"
}

// Seconds is a duration that YAML writes as a number.
type Seconds float64

// Duration converts s.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }
