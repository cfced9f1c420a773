package vllm

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/spinup-llm/spinup/lifecycle"
)

// Stages of vLLM's own, beside the standard ones.
const (
	// StageStartWorkers is the engine core's and the workers' start: each imports vLLM
	// anew and joins the others.
	StageStartWorkers lifecycle.Stage = "start_workers"
	// StageStartServer is the time from the end of the engine's start to an open port.
	StageStartServer lifecycle.Stage = "start_server"
)

// mark says what a line means for its stage.
type mark uint8

const (
	note   mark = iota // something to tell while the stage runs; opens nothing
	within             // the stage runs; it began when the one before ended
	enter              // the stage begins here
	leave              // the stage ends here, for the process that says so
)

// A rule reads one kind of line. Line numbers, file names and the order of lines move
// between versions, so the text alone counts. Rules are tried in order.
type rule struct {
	has   string         // must occur in the line: cheap, and most lines have none
	re    *regexp.Regexp // must match; nil means that has is enough
	stage lifecycle.Stage
	mark  mark
	ranks bool            // several ranks say it, and count
	wall  bool            // the seconds told are the stage's wall time
	brief bool            // only what matched is told: the rest of the line may hold secrets
	cache cache           // what it says of torch.compile's cache
	next  lifecycle.Stage // of a leave: what surely follows, though it may be silent for long
}

// cache is what is known of torch.compile's cache.
type cache uint8

const (
	cacheHit  cache = 1 << iota // compiled code was loaded
	cacheMiss                   // code was compiled
	cacheBad                    // cached code was there and did not load
)

var seconds = regexp.MustCompile(`(\d+(?:\.\d+)?) ?(?:s\b|sec)`)

// rules covers vLLM 0.6 to 0.32 on CPU and GPU, engines V0 and V1.
var rules = []rule{
	{has: "Initializing a", re: regexp.MustCompile(`Initializing an? (?:V\d )?LLM engine \(v[^)]*\)`), stage: StageStartWorkers, mark: within, brief: true},
	{has: "ersion", re: regexp.MustCompile(`(?:█|vLLM API server) *(version \d+\.\d+\S*)`), stage: lifecycle.StageEngineConfig, mark: enter, brief: true},
	{has: "non-default args", stage: lifecycle.StageEngineConfig, mark: enter, brief: true},
	{has: "Resolved architecture:", stage: lifecycle.StageEngineConfig, mark: enter},
	{has: "This model supports multiple tasks", stage: lifecycle.StageEngineConfig, mark: leave},
	{has: "Using max model len", stage: StageStartWorkers, mark: enter},
	{has: "OpenMP thread binding info", stage: StageStartWorkers, mark: note},
	{has: "distributed_init_method=", re: regexp.MustCompile(`world_size=\d+ rank=\d+`), stage: StageStartWorkers, mark: note, brief: true},
	{has: "is assigned as DP rank", re: regexp.MustCompile(`rank \d+ in world size \d+`), stage: StageStartWorkers, mark: note, brief: true},

	{has: "Starting to load model", stage: lifecycle.StageLoadWeights, mark: enter, ranks: true},
	{has: "Using model weights format", stage: lifecycle.StageDownload, mark: enter},
	{has: "Time spent downloading weights", stage: lifecycle.StageDownload, mark: leave, wall: true, next: lifecycle.StageLoadWeights},
	{has: "Initializing model took", stage: lifecycle.StageLoadWeights, mark: note},
	{has: "Checkpoint size:", stage: lifecycle.StageLoadWeights, mark: note},
	{has: "% Completed |", re: regexp.MustCompile(`[^|]{1,80}:\s+\d+% Completed \| (\d+)/(\d+)`), stage: lifecycle.StageLoadWeights, mark: note},
	{has: "Prefetching checkpoint files", stage: lifecycle.StageLoadWeights, mark: note},
	{has: "Overall time to stream", stage: lifecycle.StageLoadWeights, mark: note},
	{has: "Loading weights took", stage: lifecycle.StageLoadWeights, mark: note},
	{has: "Loading model weights took", stage: lifecycle.StageLoadWeights, mark: leave, ranks: true, next: lifecycle.StageCompile},
	{has: "Model loading took", stage: lifecycle.StageLoadWeights, mark: leave, ranks: true, next: lifecycle.StageCompile},

	{has: "Warming up model for the compilation", stage: lifecycle.StageCompile, mark: enter, ranks: true},
	{has: "Starting torch.compile", stage: lifecycle.StageCompile, mark: within},
	{has: "Using cache directory:", stage: lifecycle.StageCompile, mark: within, ranks: true},
	{has: "Dynamo bytecode transform time", stage: lifecycle.StageCompile, mark: within},
	{has: "Directly load", re: regexp.MustCompile(`Directly load (?:AOT compilation|the compiled graph)`), stage: lifecycle.StageCompile, mark: within, cache: cacheHit},
	{has: "Compiling model again due to a load failure", stage: lifecycle.StageCompile, mark: within, cache: cacheBad},
	{has: "Compiling a graph for", stage: lifecycle.StageCompile, mark: within, cache: cacheMiss},
	{has: "Cache the graph", stage: lifecycle.StageCompile, mark: within, cache: cacheMiss},
	{has: "saved AOT compiled function to", stage: lifecycle.StageCompile, mark: within, cache: cacheMiss},
	{has: "Initial profiling/warmup run took", stage: lifecycle.StageCompile, mark: note},
	{has: "torch.compile", re: regexp.MustCompile(`torch\.compile(?: and .{1,60}?)? (?:takes|took) \d`), stage: lifecycle.StageCompile, mark: leave, ranks: true, next: lifecycle.StageProfileMemory},
	{has: "Warming up done", stage: lifecycle.StageCompile, mark: leave, ranks: true, next: lifecycle.StageKVCache},

	{has: "Encoder cache will be initialized", stage: lifecycle.StageProfileMemory, mark: enter},
	{has: "Profiling CUDA graph memory", stage: lifecycle.StageProfileMemory, mark: within},
	{has: "Estimated CUDA graph memory", stage: lifecycle.StageProfileMemory, mark: within},
	{has: "Memory profiling takes", stage: lifecycle.StageProfileMemory, mark: within},
	{has: "Available KV cache memory", stage: lifecycle.StageProfileMemory, mark: leave, ranks: true, next: lifecycle.StageKVCache},

	{has: "GiB for KV cache", re: regexp.MustCompile(`(?:Explicitly|Auto) set \(.*GiB for KV cache`), stage: lifecycle.StageKVCache, mark: within},
	{has: "KV cache size:", stage: lifecycle.StageKVCache, mark: within},
	{has: "Maximum concurrency for", stage: lifecycle.StageKVCache, mark: within},
	{has: "blocks:", re: regexp.MustCompile(`# \w+ blocks: \d+`), stage: lifecycle.StageKVCache, mark: within},

	{has: "Capturing", re: regexp.MustCompile(`Capturing (?:CUDA graph|cudagraph|the model for CUDA graphs)[^:]*(?::\s+\d+%\|[^|]*\| (\d+)/(\d+))?`), stage: lifecycle.StageCaptureGraphs, mark: enter},
	{has: "Graph capturing finished in", stage: lifecycle.StageCaptureGraphs, mark: leave, ranks: true, wall: true},

	{has: "init engine (profile", stage: StageStartServer, mark: enter},
	{has: "Supported tasks:", stage: StageStartServer, mark: leave},
	{has: "Starting vLLM", re: regexp.MustCompile(`Starting vLLM (?:API )?server`), stage: StageStartServer, mark: within},
	{has: "Application startup complete", stage: StageStartServer, mark: leave},
}

// match returns what the rule finds in text: the part to tell, then the counters.
func (r rule) match(text string) []string {
	i := strings.Index(text, r.has)
	switch {
	case i < 0:
		return nil
	case r.re == nil && r.brief:
		return []string{r.has}
	case r.re == nil:
		return []string{text[i:]}
	}
	at := r.re.FindStringSubmatchIndex(text)
	if at == nil {
		return nil
	}
	if r.brief {
		return []string{text[at[len(at)-2]:at[len(at)-1]]}
	}
	m := []string{text[at[0]:]}
	for g := 2; g+1 < len(at); g += 2 {
		if at[g] >= 0 {
			m = append(m, text[at[g]:at[g+1]])
		}
	}
	return m
}

// counters are the numbers of a progress bar, "2/4"; zero where the line has none.
func counters(m []string) (done, total int64) {
	if len(m) != 3 {
		return 0, 0
	}
	done, errDone := strconv.ParseInt(m[1], 10, 64)
	total, errTotal := strconv.ParseInt(m[2], 10, 64)
	if errDone != nil || errTotal != nil {
		return 0, 0
	}
	return done, total
}
