package sglang

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
	"github.com/spinup-llm/spinup/source/local"
)

// checkModel reads the small files and the headers of the weights in spec.Dir.
func checkModel(spec engine.Spec) error {
	if spec.Weights != nil {
		return invalid("load_format", "weights are not streamed into SGLang by this driver", "leave load_format out: the files are fetched first")
	}
	if info, err := os.Stat(spec.Dir); err != nil || !info.IsDir() {
		return &lifecycle.Error{
			Op: "sglang.Check", Kind: lifecycle.NotFound, Target: spec.Dir, Err: errors.New("there is no such folder"),
			Hint: "give the model's folder",
		}
	}
	ctx := context.Background() //nolint:forbidigo // a check has none; it reads a few kilobytes of this machine
	src, err := local.New(spec.Dir)
	if err != nil {
		return err
	}
	m, err := src.Resolve(ctx)
	if err != nil {
		return err
	}
	return source.CheckModel(ctx, src, m, &source.CheckOptions{
		NoTokenizer: driver.Plain(spec.Kwargs[tokenizerPath]) != nil || driver.Plain(spec.Kwargs["tokenizer"]) != nil ||
			driver.Plain(spec.Kwargs["skip_tokenizer_init"]) == true,
		NoWeights: driver.Plain(spec.Kwargs["load_format"]) == "dummy",
	})
}

// checkName refuses what SGLang would take for a model and its adapter.
func checkName(id string) error {
	if !strings.Contains(id, ":") {
		return nil
	}
	return &lifecycle.Error{
		Op: "sglang.Check", Kind: lifecycle.Invalid, Target: "model_loading_config.model_id",
		Err: errors.New("SGLang takes what follows a colon for the name of an adapter"), Hint: "choose a model_id without a colon",
	}
}
