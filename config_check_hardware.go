package spinup

import (
	"math"
	"slices"
	"strings"

	"github.com/spinup-llm/spinup/internal/strictyaml"
)

// placementGroup is the shape of placement_group_config.
type placementGroup struct {
	BundlePerWorker map[string]float64   `yaml:"bundle_per_worker"`
	Bundles         []map[string]float64 `yaml:"bundles"`
	Strategy        string               `yaml:"strategy"`
}

// acceleratorConfig is the shape of accelerator_config.
type acceleratorConfig struct {
	Kind     string `yaml:"kind"`
	Topology string `yaml:"topology"`

	Extra map[string]any `yaml:",inline"` // Ray ignores it
}

// hardware checks accelerator_type, accelerator_config and placement_group_config, and that
// they fit together as Ray wants it.
func (c *checker) hardware(cfg *LLMConfig) {
	c.oneOf("accelerator_type", cfg.accelerator(), accelerators)
	var p placementGroup
	var a acceleratorConfig
	c.decode("placement_group_config", cfg.PlacementGroupConfig, &p)
	c.decode("accelerator_config", cfg.AcceleratorConfig, &a)
	if cfg.PlacementGroupConfig != nil {
		c.placement(cfg.PlacementGroupConfig, &p)
	}
	if cfg.AcceleratorConfig != nil {
		if a.Kind == "" {
			c.fail("accelerator_config.kind", "use one of: cpu, gpu, tpu", "a kind is required")
		}
		c.oneOf("accelerator_config.kind", a.Kind, []string{"cpu", "gpu", "tpu"})
		for name := range a.Extra {
			c.report.Warn(join(c.path, "accelerator_config"+strictyaml.Key(name)), "it has no effect: known are kind and topology")
		}
		if a.Topology != "" && cfg.AcceleratorType == "" {
			c.fail("accelerator_type", "give the type of TPU", "a topology needs an accelerator_type")
		}
	}
	c.sameKind(cfg, &p, a.Kind)
}

// sameKind compares the kind of hardware that the type implies with the one asked for.
func (c *checker) sameKind(cfg *LLMConfig, p *placementGroup, kind string) {
	if cfg.AcceleratorType == "" {
		return
	}
	if kind == "" && cfg.PlacementGroupConfig != nil {
		kind = p.kind()
	}
	want := "gpu"
	if strings.HasPrefix(cfg.AcceleratorType, "TPU-") {
		want = "tpu"
	}
	switch kind {
	case "", want:
	case "cpu":
		c.fail("accelerator_type", "remove it, or ask for a GPU in the bundles", "an accelerator_type cannot be had from CPUs alone")
	default:
		c.fail("accelerator_type", "make the type fit the bundles or the kind", "the type is one of %ss, but %ss are asked for", strings.ToUpper(want), strings.ToUpper(kind))
	}
}

func (c *checker) placement(given map[string]any, p *placementGroup) {
	const at = "placement_group_config"
	switch one, all := given["bundle_per_worker"] != nil, given["bundles"] != nil; {
	case one && all:
		c.fail(at+".bundles", "keep bundle_per_worker, which is repeated for each worker, or list all bundles", "bundle_per_worker and bundles exclude each other")
	case !one && !all:
		c.fail(at+".bundle_per_worker", "give it, such as {CPU: 1, GPU: 1}", "bundle_per_worker or bundles is required")
	}
	c.bundle(at+".bundle_per_worker", p.BundlePerWorker)
	for i, b := range p.Bundles {
		c.bundle(at+".bundles"+index(i), b)
	}
	c.oneOf(at+".strategy", p.Strategy, []string{"PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD"})
}

func (c *checker) bundle(path string, b map[string]float64) {
	for resource, n := range b {
		if !(n >= 0) || math.IsInf(n, 0) {
			c.fail(path+strictyaml.Key(resource), "", "want a number, 0 or more")
		}
	}
}

// kind is what the bundles ask for.
func (p *placementGroup) kind() string {
	kind := "cpu"
	for _, b := range append(slices.Clip(p.Bundles), p.BundlePerWorker) {
		switch {
		case b["TPU"] > 0:
			return "tpu"
		case b["GPU"] > 0:
			kind = "gpu"
		}
	}
	return kind
}

// decode fills into from a map of the config, strictly.
func (c *checker) decode(path string, m map[string]any, into any) {
	if m == nil {
		return
	}
	d := strictyaml.Decoder{Report: c.report}
	d.Decode(strictyaml.FromGo(m, join(c.path, path), c.report), into)
}
