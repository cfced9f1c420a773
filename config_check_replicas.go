package spinup

import "strings"

func (c *checker) replicas(d *DeploymentConfig) {
	const at = "deployment_config."
	n, a := d.NumReplicas, d.AutoscalingConfig
	switch {
	case n == nil || *n == Auto:
	case *n < 1:
		c.fail(at+"num_replicas", `use autoscaling_config with min_replicas: 0 to scale to zero`, `want a count of at least 1, or "auto"`)
	case a != nil:
		c.fail(at+"num_replicas", `remove one of them, or write num_replicas: auto`, "a fixed number and autoscaling_config exclude each other")
	}
	c.count(at+"max_ongoing_requests", d.MaxOngoingRequests)
	if d.MaxQueuedRequests != -1 { // no limit
		c.count(at+"max_queued_requests", d.MaxQueuedRequests)
	}
	c.router(at+"request_router_config.", d.RequestRouterConfig)
	if a != nil {
		c.autoscaling(a, n != nil && *n == Auto)
	}
}

func (c *checker) autoscaling(a *AutoscalingConfig, auto bool) {
	const at = "deployment_config.autoscaling_config."
	c.count(at+"max_replicas", a.MaxReplicas)
	c.bounds(at, a, auto)
	for path, value := range map[string]float64{
		"target_ongoing_requests": a.TargetOngoingRequests,
		"metrics_interval_s":      float64(a.MetricsInterval),
		"look_back_period_s":      float64(a.LookBackPeriod),
		"upscaling_factor":        a.UpscalingFactor,
		"downscaling_factor":      a.DownscalingFactor,
	} {
		c.positive(at+path, value)
	}
	c.notNegative(at+"upscale_delay_s", a.UpscaleDelay)
	c.notNegative(at+"downscale_delay_s", a.DownscaleDelay)
	c.notNegative(at+"downscale_to_zero_delay_s", a.DownscaleToZeroDelay)
	c.oneOf(at+"aggregation_function", strings.ToLower(a.AggregationFunction), []string{"mean", "max", "min"})
}

// router warns of what chooses nothing here: a file that Ray reads has to load.
func (c *checker) router(at string, r *RequestRouterConfig) {
	if r == nil {
		return
	}
	if _, known := r.picker(); !known {
		c.report.Warn(join(c.path, at+"request_router_class"), "it is not known here, requests go to the less loaded of two replicas: give Options.Pick")
	}
	for name := range r.Kwargs {
		if r.name() != prefixRouter || name != "match_rate_threshold" && name != "imbalanced_threshold" {
			c.report.Warn(join(c.path, at+"request_router_kwargs."+name), "it has no effect here")
		}
	}
}

// bounds checks min <= initial <= max.
func (c *checker) bounds(at string, a *AutoscalingConfig, auto bool) {
	least, most := 1, 1
	if auto {
		most = 100 // as Ray has it
	}
	if a.MaxReplicas > 0 {
		most = a.MaxReplicas
	}
	if a.MinReplicas != nil {
		least = *a.MinReplicas
	}
	if least < 0 {
		c.fail(at+"min_replicas", "", "want a whole number, 0 or more")
		return
	}
	if least > most && a.MaxReplicas >= 0 {
		c.fail(at+"max_replicas", "raise max_replicas", "max_replicas (%d) is less than min_replicas (%d)", most, least)
	}
	switch i := a.InitialReplicas; {
	case i == nil:
	case *i < 0:
		c.fail(at+"initial_replicas", "", "want a whole number, 0 or more")
	case *i < least:
		c.fail(at+"initial_replicas", "raise it", "initial_replicas (%d) is less than min_replicas (%d)", *i, least)
	case *i > most:
		c.fail(at+"initial_replicas", "lower it, or raise max_replicas", "initial_replicas (%d) is more than max_replicas (%d)", *i, most)
	}
}
