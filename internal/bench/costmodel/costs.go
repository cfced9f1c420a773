package costmodel

// Costs are the constants of a kind of machine; seconds, and bytes per second.
type Costs struct {
	// Of processes. None depends on the model.
	Import     float64 // a process starts and imports vLLM
	Config     float64 // it reads the model's configuration
	Rendezvous float64 // ranks initialise their devices and meet (NCCL, Gloo)
	Server     float64 // from the engine's end to the open port
	RayBoot    float64 // Ray: from the driver's import to the first replica's
	RayReplica float64 // Ray: the replica's imports and those of the task that inits the node
	RayWorker  float64 // Ray: how much longer a worker takes as an actor

	// Of bytes. Ranks read their shares at the same time.
	Download float64 // a second, of the whole machine
	Load     float64 // a second, of each rank, from files that are in memory to its device
	Stream   float64 // a second, of each rank, from a bucket to its device

	// Of layers: the compiler meets each of them.
	Trace   float64 // of a layer into a graph, cached or not
	Compile float64 // of a layer's graph
	Cached  float64 // of a layer's graph that was compiled before

	// Of the ranks' first runs.
	Profile float64 // of the memory that is left, and the KV cache
	Capture float64 // of a layer in one graph
}

// H100 are the costs in the recordings. Values in parentheses are plain, sharded, cached.
var H100 = Costs{
	Import:     5.5,  // from the spawn of the engine core to its first word (5, 6, 5)
	Config:     1,    // (1, 1, 1)
	Rendezvous: 6.3,  // from the worker's first line to the load (7, 6, 6)
	Server:     1,    // (1, 1, 1)
	RayBoot:    27.5, // (23, 32; the third waited 140 for machines)
	RayReplica: 17,   // (15, 16, 21)
	RayWorker:  9.2,  // beyond Import: (8.5, 9.5, 9.5)

	Download: 0.72e9, // 141 GB from the hub in 196.5 s
	Load:     2.2e9,  // 35.3 GB each in 16 s
	Stream:   1.31e9, // 35.3 GB each in 27 s, twice

	Trace:   0.153, // 12.2 s for 80 layers, the same in all
	Compile: 0.74,  // 59 s for 80 layers: 50 until the last rank has its graphs, 9 for their first run
	Cached:  0.09,  // 7 s for 80 layers: 4 to load the graphs, 3 for their first run

	Profile: 4.3,    // (5, 4, 3 and what is rounded)
	Capture: 1.5e-3, // 16.3 s for 132 graphs of 80 layers
}
