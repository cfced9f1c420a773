package reference

import (
	"errors"
	"fmt"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/reference/internal/tokenizer"
	"github.com/spinup-llm/spinup/engine/reference/internal/weights"
	"github.com/spinup-llm/spinup/lifecycle"
)

// A plan is a model that can be loaded: everything but the weights has been read, and the
// headers of the weights fit.
type plan struct {
	*folder
	id      string
	tok     *tokenizer.Tokenizer
	weights *weights.Set // to be closed
	maxLen  int
	maxSeqs int
	seed    *int64
	read    int64 // bytes of the weights
}

// inspect makes the plan for spec, or says why the engine cannot serve it.
func inspect(spec engine.Spec) (*plan, error) {
	opts, err := readOptions(spec)
	if spec.Weights != nil {
		err = errors.Join(err, optionError("load_format", errors.New("the reference engine cannot stream weights"), "use load_format: auto"))
	}
	if err != nil {
		return nil, err
	}
	f, err := readFolder(spec.Dir)
	if err != nil {
		return nil, err
	}
	p := &plan{folder: f, id: spec.ModelID, seed: opts.Seed}
	if p.tok, err = tokenizer.Load(f.path("tokenizer.json")); err != nil {
		return nil, err
	}
	if id, ok := p.tok.ID(p.tokens.EOS); ok && len(p.eos) == 0 {
		p.eos = []int{id}
	}
	if err = p.limits(opts); err != nil {
		return nil, err
	}
	if p.weights, err = weights.Open(f.dir); err != nil {
		return nil, err
	}
	if err = p.fits(); err != nil {
		_ = p.weights.Close() // was only read
		return nil, err
	}
	return p, nil
}

// limits resolves the length and the number of sequences.
func (p *plan) limits(opts options) error {
	p.maxSeqs = defaultMaxSeqs
	if opts.MaxNumSeqs > 0 {
		p.maxSeqs = opts.MaxNumSeqs
	}
	most := p.config.MaxPositions
	if p.config.Window > 0 { // up to there, a window sees everything
		most = min(most, p.config.Window)
	}
	p.maxLen = min(most, defaultMaxLen)
	if opts.MaxModelLen == 0 {
		return nil
	}
	p.maxLen = opts.MaxModelLen
	switch {
	case p.maxLen > p.config.MaxPositions:
		return optionError("max_model_len", fmt.Errorf("%d is more than the model's max_position_embeddings %d", p.maxLen, p.config.MaxPositions),
			"ask for at most %d", p.config.MaxPositions)
	case p.maxLen > most:
		return optionError("max_model_len", fmt.Errorf("%d is more than the model's sliding window %d, which is not supported", p.maxLen, most),
			"ask for at most %d, or use llm_engine: vLLM", most)
	}
	return nil
}

// fits checks the weights' headers and the memory.
func (p *plan) fits() error {
	read, memory, err := p.config.Fits(p.weights)
	if e, ok := errors.AsType[*lifecycle.Error](err); ok && e.Target == "" {
		e.Target = p.dir
	}
	if err != nil {
		return err
	}
	p.read = read
	cache := int64(p.maxLen) * int64(p.maxSeqs) * p.config.CacheBytes()
	if free := freeMemory(); free > 0 && memory+cache > free {
		return &lifecycle.Error{
			Op: "reference.Check", Kind: lifecycle.NoSpace, Target: p.dir,
			Err: fmt.Errorf("the weights need %s of memory and the KV cache %s, %s are free", megabytes(memory), megabytes(cache), megabytes(free)),
			Hint: fmt.Sprintf("lower max_model_len (%d) or max_num_seqs (%d), or use a smaller model: this engine is for tiny ones",
				p.maxLen, p.maxSeqs),
		}
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
