package costmodel

import (
	"bytes"
	"strings"

	"github.com/spinup-llm/spinup/engine/vllm"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A Part is a stretch of a recorded start and what it was predicted to be, in seconds.
type Part struct {
	Name                string
	Recorded, Predicted float64
}

// parts put together what recordings cannot tell apart to the second.
var parts = []struct {
	name   string
	stages []lifecycle.Stage
}{
	{"processes and imports", []lifecycle.Stage{Boot, lifecycle.StagePreload, lifecycle.StageEngineConfig, Workers}},
	{"download", []lifecycle.Stage{lifecycle.StageDownload}},
	{"load", []lifecycle.Stage{lifecycle.StageLoadWeights}},
	{"compile", []lifecycle.Stage{lifecycle.StageCompile}},
	{"memory", []lifecycle.Stage{lifecycle.StageProfileMemory, lifecycle.StageKVCache}},
	{"graphs", []lifecycle.Stage{lifecycle.StageCaptureGraphs}},
	{"server", []lifecycle.Stage{Server}},
}

// Compare reads a recorded start of j and holds it against the prediction. What was done is
// taken from the recording: whether Ray did it, whether weights were streamed, downloaded or
// there, whether compiled code was cached. A last part is the whole.
func (c Costs) Compare(j Job, log []byte) ([]Part, error) {
	t, err := vllm.ReadLog(bytes.NewReader(log))
	if err != nil {
		return nil, err
	}
	recorded, predicted := map[lifecycle.Stage]float64{}, map[lifecycle.Stage]float64{}
	for stage, d := range t.ByStage() {
		recorded[stage] = d.Seconds()
	}
	w := Way{Ray: bytes.Contains(log, []byte("RayWorkerWrapper")), Streamed: bytes.Contains(bytes.ToLower(log), []byte("runai"))}
	for s := range t.All() {
		if s.Stage == lifecycle.StageCompile && strings.HasPrefix(s.Message, "cache hit") {
			w.Cached = true
		}
	}
	_, path := c.Predict(j, w)
	for _, s := range path {
		predicted[s.Name] = s.Seconds
	}
	if recorded[lifecycle.StageDownload] == 0 {
		predicted[lifecycle.StageDownload] = 0
	}
	whole := Part{Name: "whole"}
	var all []Part
	for _, p := range parts {
		part := Part{Name: p.name}
		for _, s := range p.stages {
			part.Recorded += recorded[s]
			part.Predicted += predicted[s]
		}
		whole.Recorded += part.Recorded
		whole.Predicted += part.Predicted
		all = append(all, part)
	}
	return append(all, whole), nil
}
