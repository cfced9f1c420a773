package costmodel

import (
	"slices"

	"github.com/spinup-llm/spinup/lifecycle"
)

// A Job is what is started.
type Job struct {
	Name   string
	Bytes  float64 // of the weights
	Layers int
	Ranks  int // that share the weights, a device each
	Graphs int // captured; 0 means 132, as vLLM does by default: 66 sizes, piecewise and whole
	// Experts says that layers are mixtures of them.
	Experts bool
}

const allGraphs = 132

// Jobs are models in bfloat16 on machines that hold them.
var Jobs = []Job{
	{Name: "8B", Bytes: 16.1e9, Layers: 32, Ranks: 1},
	{Name: "70B", Bytes: 141e9, Layers: 80, Ranks: 4},
	{Name: "235B", Bytes: 470e9, Layers: 94, Ranks: 8, Experts: true},
}

// A Way is an order of the steps.
type Way struct {
	Name     string
	Ray      bool // below Ray, whose own processes come first
	Streamed bool // sharded weights go from the bucket to the devices, without files
	Cached   bool // the compiler's cache is there
	Ahead    int  // how many of three imports, one after the other, need no files: 0, 1 or 3
}

// Ways that a start may go.
var (
	RayPlain   = Way{Name: "Ray Serve LLM", Ray: true}
	RaySharded = Way{Name: "Ray Serve LLM, streamed", Ray: true, Streamed: true}
	RayTuned   = Way{Name: "Ray Serve LLM, streamed, cached", Ray: true, Streamed: true, Cached: true}
	Plain      = Way{Name: "download, then vllm serve"}
	Ours       = Way{Name: "spinup", Ahead: 1}
	OursCached = Way{Name: "spinup, cached", Ahead: 1, Cached: true}
	OursTuned  = Way{Name: "spinup, streamed, cached", Ahead: 1, Streamed: true, Cached: true}
	OursForked = Way{Name: "the same, if ranks were forks as on the CPU", Ahead: 3, Streamed: true, Cached: true}
)

// A Step is a part of a start, named as the stage that a timeline shows.
type Step struct {
	Name    lifecycle.Stage
	Seconds float64
	After   []lifecycle.Stage // steps that have to end before
}

// Names of steps that are no stages of their own in every engine.
const (
	Boot    lifecycle.Stage = "boot"          // Ray's processes
	Workers lifecycle.Stage = "start_workers" // engine core and ranks
	Server  lifecycle.Stage = "start_server"
)

// Steps returns the steps of a start; each stands behind those that it waits for.
func (c Costs) Steps(j Job, w Way) []Step {
	share := j.Bytes / float64(max(1, j.Ranks))
	layers, graphs := float64(j.Layers), float64(j.Graphs)
	if graphs == 0 {
		graphs = allGraphs
	}
	download, load, compile, capture := j.Bytes/c.Download, share/c.Load, c.Compile, c.Capture
	if j.Experts {
		capture += c.Experts
	}
	if w.Streamed {
		download, load = 0, share/c.Stream
	}
	if w.Cached {
		compile = c.Cached
	}
	steps := []Step{
		{lifecycle.StageLoadWeights, load, []lifecycle.Stage{Workers, lifecycle.StageDownload}},
		{lifecycle.StageCompile, layers * (c.Trace + compile), []lifecycle.Stage{lifecycle.StageLoadWeights}},
		{lifecycle.StageProfileMemory, c.Profile, []lifecycle.Stage{lifecycle.StageCompile}},
		{lifecycle.StageCaptureGraphs, layers * graphs * capture, []lifecycle.Stage{lifecycle.StageProfileMemory}},
		{Server, c.Server, []lifecycle.Stage{lifecycle.StageCaptureGraphs}},
	}
	return append(c.processes(j, w, download), steps...)
}

// processes are the steps up to ranks that wait for weights, with the download.
func (c Costs) processes(j Job, w Way, download float64) []Step {
	ready := c.Device
	if j.Ranks > 1 {
		ready += c.Meet
	}
	if w.Ray { // the ranks themselves download
		return []Step{
			{Boot, c.RayBoot, nil},
			{lifecycle.StagePreload, c.RayReplica, []lifecycle.Stage{Boot}},
			{lifecycle.StageEngineConfig, c.Config, []lifecycle.Stage{lifecycle.StagePreload}},
			{Workers, 2*c.Import + c.RayWorker + ready, []lifecycle.Stage{lifecycle.StageEngineConfig}},
			{lifecycle.StageDownload, download, []lifecycle.Stage{Workers}},
		}
	}
	preload := Step{Name: lifecycle.StagePreload, Seconds: c.Import}
	if w.Ahead == 0 {
		preload.After = []lifecycle.Stage{lifecycle.StageDownload}
	}
	if w.Ahead < 3 {
		ready += 2 * c.Import
	}
	return []Step{
		{lifecycle.StageDownload, download, nil},
		preload,
		{lifecycle.StageEngineConfig, c.Config, []lifecycle.Stage{lifecycle.StagePreload, lifecycle.StageDownload}},
		{Workers, ready, []lifecycle.Stage{lifecycle.StageEngineConfig}},
	}
}

// Predict returns how many seconds a start takes, and the steps that decide it.
func (c Costs) Predict(j Job, w Way) (total float64, path []Step) {
	steps := c.Steps(j, w)
	ends, before := map[lifecycle.Stage]float64{}, map[lifecycle.Stage]lifecycle.Stage{}
	byName, last := map[lifecycle.Stage]Step{}, lifecycle.Stage("")
	for _, s := range steps {
		start := 0.0
		for _, a := range s.After {
			if ends[a] > start {
				start, before[s.Name] = ends[a], a
			}
		}
		ends[s.Name], byName[s.Name] = start+s.Seconds, s
		if last == "" || ends[s.Name] >= ends[last] {
			last = s.Name
		}
	}
	for at := last; at != ""; at = before[at] {
		path = append(path, byName[at])
	}
	slices.Reverse(path)
	return ends[last], path
}
