package costmodel

// A Recording is a start that was recorded or published, and the costs that can be read from
// it. Those that cannot are 0.
type Recording struct {
	Job     Job
	Way     Way
	Booted  bool    // its seconds begin with Ray's driver, else with the first process of a replica
	Seconds float64 // up to the open port
	Read    Costs
}

const (
	gb70   = 141.1e9
	share  = gb70 / 4
	layers = 80
	graphs = layers * allGraphs
)

// Recordings are three of Llama 3 70B, by the stamps of their lines, which are whole seconds,
// and two published totals of Qwen 3 235B. From those only one cost is read: what the others
// do not explain goes to the experts, since it is there with and without a cache, and however
// the weights came.
var Recordings = []Recording{
	{Jobs[1], RayPlain, false, 351, Costs{
		Import: 5, Config: 1, Device: 1.5, Meet: 5, Server: 1, RayBoot: 23, RayReplica: 15, RayWorker: 8.5,
		Download: gb70 / 196.5, Load: share / 16, Trace: 12.2 / layers, Compile: 59. / layers, Profile: 4.5, Capture: 16. / graphs,
	}},
	{Jobs[1], RaySharded, false, 165, Costs{
		Import: 6, Config: 1, Device: 1, Meet: 5, Server: 1, RayBoot: 32, RayReplica: 16, RayWorker: 9.5,
		Stream: share / 27, Trace: 12.4 / layers, Compile: 58.5 / layers, Profile: 4, Capture: 17. / graphs,
	}},
	{Jobs[1], RayTuned, false, 115, Costs{ // the driver waited for machines
		Import: 5, Config: 1, Device: 1, Meet: 5, Server: 1, RayReplica: 21, RayWorker: 9.5,
		Stream: share / 27, Trace: 12.1 / layers, Cached: 7. / layers, Profile: 3.5, Capture: 16. / graphs,
	}},
	{Jobs[2], RayPlain, true, 1007, Costs{Experts: 147. / (94 * allGraphs)}},
	{Jobs[2], RayTuned, true, 292, Costs{Experts: 127. / (94 * allGraphs)}},
}

// HeldOut predicts a recording by what the others say.
func HeldOut(index int) float64 {
	r := &Recordings[index]
	costs := Without(index)
	if !r.Booted {
		costs.RayBoot = 0
	}
	total, _ := costs.Predict(r.Job, r.Way)
	return total
}
