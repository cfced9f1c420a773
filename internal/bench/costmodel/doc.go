// Package costmodel predicts how long the start of a large model takes, as a graph of steps,
// and what it saves to do them beside each other.
//
//	total, path := costmodel.H100.Predict(costmodel.Job{Bytes: 141e9, Layers: 80, Ranks: 4}, costmodel.Ours)
//
// A step's time is a constant, or follows from bytes, layers or captured graphs. The constants
// of [H100] are means of what [Recordings] say: three starts of Llama 3 70B with four ranks on
// H100s, below Ray with a vLLM of October 2025, by the stamps of their lines, which are whole
// seconds, and two published totals of Qwen 3 235B with eight ranks.
//
// So how a step grows with the size of a model is an assumption, written at its constant, and
// no measurement. Rates of a network are those of that day. [HeldOut] predicts each of the
// recordings from the others alone.
package costmodel
