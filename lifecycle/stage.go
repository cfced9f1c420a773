package lifecycle

// A Stage names one step between "no node" and "serving". Stages are strings, so that an
// engine can report stages of its own without changing this package.
type Stage string

// The standard stages. They form a graph, not a list: preload, callbacks and download run
// at the same time.
const (
	StageProvision     Stage = "provision"      // a node is found or made; skipped on this machine
	StageImage         Stage = "image"          // container image; skipped where there is none
	StageNodeInit      Stage = "node_init"      // hooks before and after node initialisation
	StageResolve       Stage = "resolve"        // reference to manifest
	StageCallback      Stage = "callback"       // OnBeforeDownloadModelFilesDistributed and the like
	StageDownload      Stage = "download"       // bytes to disk, verified
	StageCheck         Stage = "check"          // the model's files make sense
	StageCompileCache  Stage = "compile_cache"  // what another start compiled is fetched, or this one's published
	StagePreload       Stage = "preload"        // engine process starts and imports, no model yet
	StageEngineConfig  Stage = "engine_config"  // engine reads its configuration
	StageLoadWeights   Stage = "load_weights"   // into memory or onto the accelerator
	StageCompile       Stage = "compile"        // torch.compile, or its cache
	StageProfileMemory Stage = "profile_memory" // what is left for the KV cache
	StageKVCache       Stage = "kv_cache"       // the KV cache is allocated
	StageCaptureGraphs Stage = "capture_graphs" // CUDA graphs
	StageWarmup        Stage = "warmup"         // a real request of ours
	StageReady         Stage = "ready"          // a marker: the replica serves from here on
	StageDrain         Stage = "drain"          // in-flight requests end
	StageStopped       Stage = "stopped"        // a marker: nothing is left running
)

// A Phase says what happened to a stage.
type Phase uint8

// Phases of a stage. The zero value is not a valid phase.
const (
	_ Phase = iota
	Begin
	Progress
	End
	Fail
	Skip // for example: all files were already present
)

// String returns the phase in lower case.
func (p Phase) String() string {
	switch p {
	case Begin:
		return "begin"
	case Progress:
		return "progress"
	case End:
		return "end"
	case Fail:
		return "fail"
	case Skip:
		return "skip"
	default:
		return "invalid"
	}
}
