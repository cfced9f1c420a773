// Package costmodel predicts how long the start of a large model takes, as a graph of steps,
// and what it saves to do them beside each other.
//
//	total, path := costmodel.H100.Predict(costmodel.Job{Bytes: 141e9, Layers: 80, Ranks: 4}, costmodel.Ours)
//
// A step's time is a constant, or follows from bytes, layers or captured graphs. The constants
// of [H100] come from three recorded starts of one model, Llama 3 70B with four ranks on
// H100s, below Ray with a vLLM of October 2025, by the stamps of their lines, which are whole
// seconds:
//
//	recording                                       from the first replica's process to the server
//	plain: from the hub, nothing cached             351 s
//	sharded weights streamed from a bucket          165 s
//	the same, and the compiler's cache there        115 s
//
// So how a step grows with the size of a model is an assumption, written at its constant, and
// no measurement: there is one size. Rates of a network are those of that day.
package costmodel
