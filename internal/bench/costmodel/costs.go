package costmodel

import "reflect"

// Costs are the constants of a kind of machine; seconds, and bytes per second.
type Costs struct {
	// Of processes. None depends on the model.
	Import     float64 // a process starts and imports vLLM
	Config     float64 // it reads the model's configuration
	Device     float64 // a rank initialises its device
	Meet       float64 // ranks find each other (NCCL), where there are several
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

	// Of the ranks' first runs, which nothing caches.
	Profile float64 // of the memory that is left, and the KV cache
	Capture float64 // of a layer in one graph
	Experts float64 // of a layer in one graph, more where it has experts
}

// H100 are the means of what the recordings say.
var H100 = Without(-1)

// Without returns the costs by all recordings but one. What no other recording has is that
// one's own.
func Without(index int) Costs {
	var mean Costs
	out := reflect.ValueOf(&mean).Elem()
	for f := range out.NumField() {
		sum, n, own := 0.0, 0.0, 0.0
		for i := range Recordings {
			v := reflect.ValueOf(Recordings[i].Read).Field(f).Float()
			switch {
			case i == index:
				own = v
			case v != 0:
				sum, n = sum+v, n+1
			}
		}
		if n == 0 {
			sum, n = own, 1
		}
		out.Field(f).SetFloat(sum / n)
	}
	return mean
}
